"""`check_swappable`: what of a server does not survive a swap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from .errors import StartError, TwinError
from .session import Session, ToolError, value_of
from .spec import ServerSpec
from .twin import Twin

if TYPE_CHECKING:
    from mcp.types import InputRequest, InputRequiredResult, InputResponse

Call = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class Finding:
    """Something in a server that does not survive a swap."""

    #: ``start``, ``fixed_port``, ``exclusive_file``, ``reload``, ``lists``, ``memory`` or ``request_state``.
    kind: str
    what: str
    #: What to do about it.
    help: str

    def __str__(self) -> str:
        return f"{self.what} ({self.help})"


#: What servers say when two of them cannot live side by side.
_SIDE_BY_SIDE = [
    ("address already in use", "fixed_port", "take the port from the system, or use `--strategy handoff`"),
    ("eaddrinuse", "fixed_port", "take the port from the system, or use `--strategy handoff`"),
    ("resource temporarily unavailable", "exclusive_file", "open it when it is needed, or use `--strategy handoff`"),
    ("blockingioerror", "exclusive_file", "open it when it is needed, or use `--strategy handoff`"),
    ("database is locked", "exclusive_file", "open it when it is needed, or use `--strategy handoff`"),
    ("fileexistserror", "exclusive_file", "name the file by the process, or use `--strategy handoff`"),
]


def check_swappable(command: Sequence[str] | ServerSpec, calls: Sequence[Call] = (), **more: Any) -> list[Finding]:
    """What in a server does not survive a swap; nothing if all does.

    Two copies must live side by side, show the same lists, and give the same answers. ``calls`` are asked twice before a swap
    and twice after it: a series that begins anew, or another answer, is state in memory. Without them, tools that say they only
    read and that want no argument are asked. What a tool asks of its user is declined; where it gave a ``requestState`` for the
    answer (2026-07-28), the fresh process must take that too.
    """
    spec = ServerSpec.of(command, {"private": True, **more})
    # A front brings a state back to the process that made it. Here the other one is to be asked.
    twin = Twin(replace(spec, options={**spec.options, "state_ttl": "1ms"}))
    try:
        twin.start()
    except StartError as error:
        twin.stop()
        return [Finding("start", f"it does not start: {error}", "start it by hand and see")]
    try:
        return _looked_at(twin, calls)
    finally:
        twin.stop()


@dataclass(frozen=True)
class _Before:
    """What a call came to before the swap."""

    call: Call
    first: _Said
    second: _Said
    #: What came of the answer to what the first one asked.
    answered: _Said | None


def _looked_at(twin: Twin, calls: Sequence[Call]) -> list[Finding]:
    with Session(twin.url, elicitation_callback=_decline, sampling_callback=_sample, list_roots_callback=_roots) as session:
        before = [_before(session, call) for call in list(calls) or _readers(session)]
        try:
            changes = twin.reload().changes
        except TwinError as error:
            return [_side_by_side(error)]
        found = []
        if changes:
            found.append(
                Finding("lists", f"a second start shows other lists: {changes}", "make them the same at every start")
            )
        twin.swap(force=True)
        for one in before:
            found += [*_memory(session, one), *_request_state(session, one)]
        return found


def _before(session: Session, call: Call) -> _Before:
    first = _said(session, call)
    answered = _said(session, call, first.asked) if first.state else None
    return _Before(call, first, _said(session, call), answered)


def _memory(session: Session, before: _Before) -> list[Finding]:
    first, second, after = before.first.value, before.second.value, _said(session, before.call).value
    # One that counts goes on where it was; one that does not answers the same.
    began_anew = first != second and after == first
    if not began_anew and (first != second or after == first):
        return []
    return [
        Finding(
            "memory",
            f"`{before.call[0]}` answered {first!r}, {second!r}, and {after!r} after a swap: its state is in memory",
            "keep it in a file or a database, or say that it may be lost",
        )
    ]


def _request_state(session: Session, before: _Before) -> list[Finding]:
    old = before.answered
    if old is None or not before.second.state:
        return []
    new = _said(session, before.call, before.second.asked)
    # The process that made it may refuse what we answer for reasons of its own: only what is worse counts.
    if new.rank <= old.rank:
        return []
    said = "asks again" if new.asked else f"refuses it: {new.value}"
    return [
        Finding(
            "request_state",
            f"`{before.call[0]}` asked for input and gave a `requestState`; a fresh process {said}",
            "share its key between processes, such as `MCPServer(..., request_state_security=RequestStateSecurity(keys=[key]))` "
            "with a key from the environment; else an exchange that is open is lost once its process is gone",
        )
    ]


def _side_by_side(error: TwinError) -> Finding:
    said = f"{error.message}\n{error.stderr_tail}".lower()
    for words, kind, help in _SIDE_BY_SIDE:
        if words in said:
            return Finding(kind, f"a second copy does not start beside the first: {error}", help)
    return Finding("reload", f"a second copy does not start beside the first: {error}", "see its stderr")


def _readers(session: Session) -> list[Call]:
    tools = session.run(session.client.list_tools).tools
    return [
        (tool.name, {})
        for tool in tools
        if tool.annotations and tool.annotations.read_only_hint and not (tool.input_schema or {}).get("required")
    ]


@dataclass(frozen=True)
class _Said:
    """What came of a call."""

    #: What is compared; without a state, which is another one each time.
    value: object
    #: From an answer to a refusal.
    rank: int
    #: What it asks for, instead of an answer.
    asked: InputRequiredResult | None = None

    @property
    def state(self) -> str | None:
        return self.asked.request_state if self.asked else None


def _said(session: Session, call: Call, asked: InputRequiredResult | None = None) -> _Said:
    """Calls a tool; ``asked`` is what an earlier call asked for, and what is answered now."""
    from mcp import MCPError
    from mcp.types import InputRequiredResult

    more: dict[str, Any] = {}
    if asked is not None:
        more["request_state"] = asked.request_state
        if asked.input_requests:
            more["input_responses"] = {key: _response(request) for key, request in asked.input_requests.items()}
    try:
        result = session.run(partial(session.client.session.call_tool, *call, allow_input_required=True, **more))
        if isinstance(result, InputRequiredResult):
            requests = result.input_requests or {}
            return _Said({key: request.model_dump() for key, request in requests.items()}, 1, result)
        return _Said(value_of(result), 0)
    except ToolError as error:
        return _Said(f"error: {error}", 2)
    except MCPError as error:
        return _Said(f"error: {error}", 3)


def _response(request: InputRequest) -> InputResponse:
    if request.method == "elicitation/create":
        return _declined()
    return _sampled() if request.method == "sampling/createMessage" else _no_roots()


def _declined() -> InputResponse:
    from mcp.types import ElicitResult

    return ElicitResult(action="decline")


def _sampled() -> InputResponse:
    from mcp.types import CreateMessageResult, TextContent

    return CreateMessageResult(role="assistant", content=TextContent(type="text", text=""), model="none")


def _no_roots() -> InputResponse:
    from mcp.types import ListRootsResult

    return ListRootsResult(roots=[])


async def _decline(context: Any, params: Any) -> Any:
    return _declined()


async def _sample(context: Any, params: Any) -> Any:
    return _sampled()


async def _roots(context: Any) -> Any:
    return _no_roots()
