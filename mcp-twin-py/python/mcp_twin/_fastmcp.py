"""The transport for `fastmcp.Client`. Imported only where that is in use."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastmcp.client.transports.base import ClientTransport, TransportOptions
from mcp import ClientSession

from .client import Transport


class FastTransport(Transport, ClientTransport):
    """Both: what `mcp.Client` takes, and what `fastmcp.Client` takes."""

    @asynccontextmanager
    async def connect_session(
        self, *, transport_options: TransportOptions | None = None, **session: Any
    ) -> AsyncIterator[ClientSession]:
        """A session through the front."""
        options = transport_options or TransportOptions()
        async with self as (read, write):
            async with options.session_class(read_stream=read, write_stream=write, **session) as client:
                yield client
