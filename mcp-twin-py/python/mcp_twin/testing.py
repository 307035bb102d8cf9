"""For authors of servers: one under test, and what of it does not survive a swap."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import _native
from .errors import StartError, TwinError, UsageError
from .results import Outcome
from .session import Around, Session, ToolError
from .spec import ServerSpec
from .twin import Twin

#: What is no source: never copied.
_NO_SOURCE = (".git", "__pycache__", "node_modules", ".venv", "venv", "target", ".pytest_cache", ".mypy_cache", "*.pyc")
#: A folder with more than this is no server's; copying it would take as long as the test.
_MOST_FILES = 5000


class ServerUnderTest:
    """A server on a copy of its source, behind a front of this process."""

    def __init__(self, twin: Twin, script: Path | None, era: str, around: Around | None) -> None:
        self.twin = twin
        #: The copy of its script.
        self.script = script
        self._era = era
        self._around = around

    def client(self, mode: str | None = None) -> Session:
        """A client session, open within a ``with`` statement. Several can be open at once."""
        return Session(self.twin.url, mode or self._era, self._around)

    def edit(self, old: str, new: str, file: str | None = None) -> None:
        """Replaces a text of the copied source: exactly one place has it."""
        path = self._file(file)
        text = path.read_text(encoding="utf-8")
        if text.count(old) != 1:
            raise UsageError(
                f"{path.name} has {text.count(old)} places with {old!r}", "twin::usage", "give more of its surroundings"
            )
        path.write_text(text.replace(old, new), encoding="utf-8")

    def reload(self) -> Outcome:
        """Starts a fresh twin and verifies it."""
        return self.twin.reload()

    def swap(self, *, force: bool = False) -> Outcome:
        """Reloads, verifies and swaps; raises if the new code does not serve."""
        return self.twin.swap(force=force)

    def fresh(self) -> Outcome:
        """Swaps to a fresh process, also of the same code."""
        self.twin.reload()
        return self.twin.swap()

    def rollback(self) -> Outcome:
        """Goes back to the generation before."""
        return self.twin.rollback()

    def _file(self, file: str | None) -> Path:
        if self.script is None:
            raise UsageError("its command names no script", "twin::usage", "start it by its script, such as twin(\"server.py\")")
        return self.script if file is None else self.script.parent / file


def copied(command: str | Path | Sequence[str], base: Path, into: Path) -> tuple[list[str], Path | None]:
    """The command on a copy of the folder of its script, and the copied script.

    ``command`` is a Python script, or words that run a script; it is looked for in ``base``.
    """
    words = [sys.executable, str(command)] if isinstance(command, (str, Path)) else [str(word) for word in command]
    found = _native.extract_script_path(words[0], words[1:], base)
    if found is None or not Path(found).is_file():
        if isinstance(command, (str, Path)):
            raise UsageError(f"there is no {command} in {base}", "twin::usage", "name the script from the test's folder")
        return words, None
    script = Path(found)
    files, within = 0, into.resolve()

    def skip(folder: str, names: list[str]) -> set[str]:
        nonlocal files
        files += len(names)
        if files > _MOST_FILES:
            raise UsageError(
                f"{script.parent} has more than {_MOST_FILES} files", "twin::usage", "put the server into a folder of its own"
            )
        # The copy itself, where the tests' temporary folder lies within that of the source.
        around = {name for name in names if within.is_relative_to((Path(folder) / name).resolve())}
        return around | set(shutil.ignore_patterns(*_NO_SOURCE)(folder, names))

    shutil.copytree(script.parent, into, ignore=skip)
    there = into / script.name
    as_named = [word for word in words[1:] if (base / word).resolve() == script.resolve()]
    return [str(there) if word in as_named else word for word in words], there


@dataclass(frozen=True)
class Finding:
    """Something in a server that does not survive a swap."""

    #: ``start``, ``fixed_port``, ``exclusive_file``, ``reload``, ``lists`` or ``memory``.
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


def check_swappable(
    command: Sequence[str] | ServerSpec, calls: Sequence[tuple[str, dict[str, Any]]] = (), **more: Any
) -> list[Finding]:
    """What in a server does not survive a swap; nothing if all does.

    Two copies must live side by side, show the same lists, and give the same answers. ``calls`` are asked twice before a swap
    and twice after it: a series that begins anew, or another answer, is state in memory. Without them, tools that say they only
    read and that want no argument are asked.
    """
    twin = Twin(command, **{"private": True, **more})
    try:
        twin.start()
    except StartError as error:
        twin.stop()
        return [Finding("start", f"it does not start: {error}", "start it by hand and see")]
    try:
        return _looked_at(twin, calls)
    finally:
        twin.stop()


def _looked_at(twin: Twin, calls: Sequence[tuple[str, dict[str, Any]]]) -> list[Finding]:
    with Session(twin.url) as session:
        asked = list(calls) or _readers(session)
        before = [[_said(session, call) for _ in range(2)] for call in asked]
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
        for call, (first, second) in zip(asked, before):
            after = _said(session, call)
            # One that counts goes on where it was; one that does not answers the same.
            began_anew = first != second and after == first
            if began_anew or (first == second and after != first):
                found.append(
                    Finding(
                        "memory",
                        f"`{call[0]}` answered {first!r}, {second!r}, and {after!r} after a swap: its state is in memory",
                        "keep it in a file or a database, or say that it may be lost",
                    )
                )
        return found


def _side_by_side(error: TwinError) -> Finding:
    said = f"{error.message}\n{error.stderr_tail}".lower()
    for words, kind, help in _SIDE_BY_SIDE:
        if words in said:
            return Finding(kind, f"a second copy does not start beside the first: {error}", help)
    return Finding("reload", f"a second copy does not start beside the first: {error}", "see its stderr")


def _readers(session: Session) -> list[tuple[str, dict[str, Any]]]:
    tools = session.run(session.client.list_tools).tools
    return [
        (tool.name, {})
        for tool in tools
        if tool.annotations and tool.annotations.read_only_hint and not (tool.input_schema or {}).get("required")
    ]


def _said(session: Session, call: tuple[str, dict[str, Any]]) -> object:
    try:
        return session.call_tool(*call)
    except ToolError as error:
        return f"error: {error}"
