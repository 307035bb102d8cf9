"""For authors of servers: one under test, and `check_swappable`, which says what of it does not survive a swap."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from . import _native
from .errors import UsageError
from .results import Outcome
from .session import Around, Session
from .swappable import Finding, check_swappable
from .twin import Twin

__all__ = ["Finding", "ServerUnderTest", "check_swappable", "copied"]

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
