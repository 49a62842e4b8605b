"""Store decisions in the run as soon as they are made, appended and never changed.

A decision that was read or confirmed once is never lost: if a file loses it, the server writes it again.
"""

import contextlib
import operator
import os
import secrets
import stat
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from filelock import FileLock

from datamap import schema
from datamap.errors import TrackingError, raised_as
from datamap.review.decisions import MAX_TURN, Decision, line, merged, parse
from datamap.signals.shards import Readable

EVERY = 5.0  # seconds between two downloads of other sessions' files
LOCK_TIMEOUT = 15.0  # seconds to wait while another server writes
LOCK = "review.lock"  # next to the folder of artifacts, so that it is not an artifact


class Files(Protocol):
    """List, read and write a run's artifacts."""

    @property
    def artifacts(self) -> Readable:
        """Return what reads them."""

    def files(self, folder: str | None) -> list[str]:
        """Return the artifact paths in a folder."""

    def log_bytes(self, content: bytes, path: str) -> None:
        """Log bytes as an artifact."""


def is_of_decisions(path: str) -> bool:
    """Tell whether an artifact holds decisions."""
    name = path.rpartition("/")[2]
    return path.startswith(f"{schema.REVIEW_DIR}/decisions") and name.endswith(".jsonl")


class _DecisionFile:
    """Hold the content of a file of decisions as of the last read."""

    def __init__(self) -> None:
        self.content = b""  # up to the last whole line
        self.decisions: list[Decision] = []
        self.torn = self.turn = 0

    def update(self, content: bytes) -> bytes:
        """Update from the file's present content; return the lines to append first if it lost known decisions."""
        content = content[: content.rfind(b"\n") + 1]  # another server may be writing the next line
        grown = content.startswith(self.content)
        found, bad = parse(content[len(self.content) :] if grown else content)
        if grown:
            found, bad = [*self.decisions, *found], self.torn + bad
        elif not set(self.decisions) <= set(found):
            return _lines_to_append(self.decisions, found)
        self.content, self.decisions, self.torn = content, found, bad
        self.turn = max((one.turn for one in found), default=0)
        return b""


def _lines_to_append(known: list[Decision], found: list[Decision]) -> bytes:
    """Return the lines that restore lost decisions in a file when appended, from the first one that is lost.

    What the file has from there on follows once more, so that an edited line comes last and counts.
    """
    same = next((k for k, (old, new) in enumerate(zip(known, found, strict=False)) if old != new), len(found))
    return b"".join(map(line, [*known[same:], *found[same:]]))


def _joined(content: bytes, lines: bytes) -> bytes:
    """Return a file's content with lines appended, after the end of a line that a killed server tore."""
    return content + (b"" if content[-1:] in (b"", b"\n") else b"\n") + lines


class _DecisionFiles:
    """Hold the last content of all files of decisions, by name."""

    def __init__(self) -> None:
        self._known: dict[str, _DecisionFile] = {}
        self._merged: tuple[list[list[Decision]], list[Decision]] = [], []

    @property
    def torn(self) -> int:
        """Return the number of invalid lines."""
        return sum(known.torn for known in self._known.values())

    def all(self) -> list[Decision]:
        """Return all decisions in their order, those of other servers as of the last read.

        Raises:
            TrackingError: a file lost decisions, and they cannot be written again.
        """
        self._read_changes()
        files = [known.decisions for _, known in sorted(self._known.items())] or [[]]
        if len(files) != len(self._merged[0]) or any(map(operator.is_not, files, self._merged[0])):
            self._merged = files, merged(files)
        return self._merged[1]

    def _read_changes(self) -> None:
        raise NotImplementedError

    def _file(self, name: str) -> _DecisionFile:
        return self._known.setdefault(name, _DecisionFile())

    def _with_turn(self, decision: Decision) -> Decision:
        newest = max((known.turn for known in self._known.values()), default=0)
        return decision._replace(turn=min(newest + 1, MAX_TURN))


class AppendingStorage(_DecisionFiles):
    """Append decisions to `review/decisions.jsonl` in a local folder, which several servers may share."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self.folder = root / schema.REVIEW_DIR
        self.lock = FileLock(root.parent / LOCK, timeout=LOCK_TIMEOUT)
        self._states: dict[str, tuple[int, ...] | None] = {}

    def append(self, decision: Decision) -> None:
        """Append a decision as a line, and flush it to the disk.

        Raises:
            TrackingError: the disk does not accept it; the file is as before.
        """
        name = Path(schema.DECISIONS_FILE).name
        with raised_as(TrackingError, self.folder / name), self.lock:
            self._read_changes()
            self._append(name, line(self._with_turn(decision)))

    def _read_changes(self) -> None:
        with raised_as(TrackingError, self.folder):
            names = {path.name for path in self.folder.glob("decisions*.jsonl")} | set(self._known)
        for name in sorted(names):
            with raised_as(TrackingError, self.folder / name):
                self._read(name)

    def _read(self, name):
        state = self._state(name)
        if name in self._states and state == self._states[name]:
            return
        if self._file(name).update(self._content(name)):
            with self.lock:  # missing lines may be in another server's unfinished write
                missing = self._file(name).update(self._content(name))
                if missing:
                    self._append(name, missing)
                return
        self._states[name] = state

    def _append(self, name, lines):
        """Append lines, or leave the file as it is; the caller holds the lock."""
        self.folder.mkdir(exist_ok=True)
        with (self.folder / name).open("ab", buffering=0) as file:
            content, end = self._content(name), file.tell()
            longer = _joined(content, lines)
            try:
                _write(file, longer[len(content) :])
            except BaseException:
                file.truncate(end)
                raise
        self._file(name).update(longer)
        state = self._state(name)
        if state and state[0] == len(longer):  # else somebody is editing it
            self._states[name] = state

    def _state(self, name):
        """Return the size of a file, and what else tells whether it changed; users cannot set `st_ctime` back."""
        try:
            found = (self.folder / name).stat()
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(found.st_mode):
            raise TrackingError(f"{self.folder / name} is not a regular file; move it away")
        return found.st_size, found.st_ino, found.st_mtime_ns, found.st_ctime_ns

    def _content(self, name):
        return b"" if self._state(name) is None else (self.folder / name).read_bytes()


def _write(file, content):
    """Write all of the content, as a disk that fills up accepts the first part of a line without an error."""
    while content:
        content = content[file.write(content) :]
    os.fsync(file.fileno())


class ReplacingStorage(_DecisionFiles):
    """Log decisions to a store that cannot append: each session replaces its own file by one with a line more.

    Args:
        run: run that lists its artifacts at each call.
        is_first: the run has no decisions yet, so that the first look for them can wait.
    """

    def __init__(self, run: Files, is_first: bool = False) -> None:
        super().__init__()
        self.run = run
        self.path = f"{schema.REVIEW_DIR}/decisions-{secrets.token_hex(4)}.jsonl"
        self._next = time.monotonic() + EVERY if is_first else 0.0

    def append(self, decision: Decision) -> None:
        """Log the session's file again, with the decision as its last line.

        Raises:
            TrackingError: the store does not accept it.
        """
        known = self._file(self.path)
        content = known.content + line(self._with_turn(decision))
        self.run.log_bytes(content, self.path)
        known.update(content)

    def _read_changes(self) -> None:
        """Read other sessions' new decisions, and write lost ones again."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + EVERY
        with contextlib.suppress(TrackingError):  # the reviewer's own decisions do not depend on this
            there = set(filter(is_of_decisions, self.run.files(schema.REVIEW_DIR)))
            for path in sorted(there | set(self._known)):
                content = self.run.artifacts.read(path) if path in there else b""
                missing = self._file(path).update(content)
                if missing:
                    self.run.log_bytes(_joined(content, missing), path)
                    self._file(path).update(_joined(content, missing))


Storage = AppendingStorage | ReplacingStorage


def read_files(run: Files) -> Iterable[tuple[str, bytes]]:
    """Return (path, content) of all files of decisions in a run."""
    paths = filter(is_of_decisions, run.files(schema.REVIEW_DIR))
    return [(path, run.artifacts.read(path)) for path in sorted(paths)]
