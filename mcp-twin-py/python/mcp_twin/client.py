"""A client's transport that goes through a front of this process: for `mcp.Client`, `mcp.ClientSession` and `fastmcp.Client`."""

from __future__ import annotations

import sys
from contextlib import AsyncExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any

import anyio

from ._call import awaiting
from .aio import AsyncTwin
from .errors import StoppedError
from .results import Outcome
from .spec import Command

if TYPE_CHECKING:
    from mcp.client._transport import TransportStreams


class ClientTwin(AsyncTwin):
    """A twin whose one client is in this process."""

    client = True

    async def start(self, timeout: float | None = None) -> Outcome:
        """Begins. The server is proven by its client's opening, which is still to come: a failure is told as its answer."""
        self._begun(await awaiting(self._begin(), timeout))
        return Outcome("started")

    def end_input(self) -> None:
        """Its client has said all."""
        self.front.end_input()


class Transport:
    """What ``mcp.Client`` takes; ``twin`` swaps the server behind it.

    Each ``async with`` begins a front, and ends it with all of its twins.
    """

    def __init__(self, command: Command, **more: Any) -> None:
        self.twin = ClientTwin(command, **more)
        self._stack: AsyncExitStack | None = None

    async def __aenter__(self) -> TransportStreams:
        from mcp.shared.message import SessionMessage

        twin = self.twin
        async with AsyncExitStack() as stack:
            stack.push_async_callback(_ended, twin)
            await twin.start()
            inbox, read = anyio.create_memory_object_stream[SessionMessage | Exception](0)
            write, outbox = anyio.create_memory_object_stream[SessionMessage](0)
            tasks = await stack.enter_async_context(anyio.create_task_group())
            stack.callback(tasks.cancel_scope.cancel)
            for stream in (inbox, read, write, outbox):
                stack.callback(stream.close)
            tasks.start_soon(_hear, twin, inbox)
            tasks.start_soon(_say, twin, outbox, inbox)
            self._stack = stack.pop_all()
            return read, write
        raise AssertionError("unreachable")

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        stack, self._stack = self._stack, None
        if stack is not None:
            await stack.__aexit__(kind, error, trace)


async def _ended(twin: ClientTwin) -> None:
    # Bounded: a front ends within 4 s, with KILL before that.
    with anyio.CancelScope(shield=True):
        await twin.stop()


async def _hear(twin: ClientTwin, inbox: Any) -> None:
    from mcp.shared.message import SessionMessage
    from mcp_types import jsonrpc_message_adapter

    async with inbox:
        while lines := await awaiting(twin.front.receive):
            for line in lines:
                message: SessionMessage | Exception
                try:
                    message = SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False))
                except ValueError as error:
                    message = error
                try:
                    await inbox.send(message)
                except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                    return


async def _say(twin: ClientTwin, outbox: Any, inbox: Any) -> None:
    front = twin.front
    async with outbox:
        async for said in outbox:
            line = said.message.model_dump_json(by_alias=True, exclude_unset=True).encode()
            if front.send_now(line):
                continue
            try:
                await awaiting(lambda done, line=line: front.send(line, done))  # type: ignore[misc]
            except StoppedError:
                # The session sees the end of the connection, rather than a request that hangs.
                await inbox.aclose()
                return
    twin.end_input()


def transport(command: Command, **more: Any) -> Transport:
    """A transport through a front, in place of one to the server itself.

    ``more`` are the fields of `ServerSpec`. Where `fastmcp` is in use, `fastmcp.Client` takes it too.
    """
    if "fastmcp" in sys.modules:
        from ._fastmcp import FastTransport

        return FastTransport(command, **more)
    return Transport(command, **more)
