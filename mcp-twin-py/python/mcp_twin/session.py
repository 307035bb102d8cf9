"""An `mcp` client session for programs that wait: each call returns its value."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mcp import Client
    from mcp.types import CallToolResult

Around = Callable[[], AbstractContextManager[None]]


class ToolError(Exception):
    """A tool answered with an error."""


def value_of(result: CallToolResult) -> Any:
    """The value of a tool's result: what is structured, else its text.

    Raises `ToolError` where it is an error.
    """
    text = "\n".join(part.text for part in result.content if part.type == "text")
    if result.is_error:
        raise ToolError(text)
    value = result.structured_content
    if isinstance(value, dict):
        return value["result"] if set(value) == {"result"} else value
    return text


class Session:
    """A client of the official SDK, open on an event loop of its own while the ``with`` statement lasts."""

    def __init__(self, server: Any, mode: str = "auto", around: Around | None = None, **more: Any) -> None:
        """``server``, ``mode`` and ``more`` are those of ``mcp.Client``; each call of a tool is made within ``around()``."""
        self._server = server
        self._more = {**more, "mode": mode}
        self._around = around or nullcontext
        self._stack: ExitStack | None = None
        self._portal: Any = None
        self._client: Client | None = None

    def __enter__(self) -> Session:
        from anyio.from_thread import start_blocking_portal
        from mcp import Client

        with ExitStack() as stack:
            self._portal = stack.enter_context(start_blocking_portal())
            client = Client(self._server, **self._more)
            opened: AbstractContextManager[Client] = self._portal.wrap_async_context_manager(client)
            self._client = stack.enter_context(opened)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        stack, self._stack, self._client = self._stack, None, None
        if stack is not None:
            stack.__exit__(kind, error, trace)

    @property
    def client(self) -> Client:
        """The SDK's own client. Its coroutines run by `run`."""
        if self._client is None:
            raise RuntimeError("the session is not open: use it in a `with` statement")
        return self._client

    @property
    def protocol_version(self) -> str:
        """The version that client and server have agreed on."""
        return self.client.protocol_version

    def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Runs a coroutine function on the client's loop, such as ``session.run(session.client.list_prompts)``."""
        return self._portal.call(function, *arguments)

    def call_tool(self, name: str, arguments: dict[str, Any] | None = None, /, **named: Any) -> Any:
        """Calls a tool and gives back its value: the structured result, else its text.

        Raises `ToolError` where the tool answers with an error.
        """
        with self._around():
            result = self.run(self.client.call_tool, name, {**(arguments or {}), **named})
        return value_of(result)

    def tools(self) -> list[str]:
        """The names of all tools."""
        names: list[str] = []
        cursor: str | None = None
        while True:

            async def page(cursor: str | None = cursor) -> Any:
                return await self.client.list_tools(cursor=cursor)

            listed = self.run(page)
            names += [tool.name for tool in listed.tools]
            cursor = listed.next_cursor
            if cursor is None:
                return names
