"""Where decisions are kept: in the run, at once, appended and never rewritten.

What was once read or answered is known, and stays: where a file lost some of it, it is written again.
"""

import contextlib
import os
import secrets
import stat
import time
from collections.abc import Iterable
from difflib import SequenceMatcher
from pathlib import Path
from typing import NamedTuple, Protocol

from filelock import FileLock

from datamap import schema
from datamap.errors import TrackingError, raised_as
from datamap.review.decisions import MAX_TURN, Decision, line, merged, parse

EVERY = 5.0  # seconds after which other sessions' files are read again, where that takes a download
LOCK_TIMEOUT = 15.0  # seconds to wait for another server that writes
LOCK = "review.lock"  # beside the artifacts' folder, so that it is none of them


class Files(Protocol):
    """A run's artifacts, read and written."""

    def files(self, folder: str | None) -> list[str]:
        """Artifact paths in a folder."""

    def log_bytes(self, content: bytes, path: str) -> None:
        """Log bytes as an artifact."""


class Reader(Protocol):
    """What reads a run's artifacts."""

    def read(self, path: str) -> bytes:
        """Bytes of an artifact."""


def is_of_decisions(path: str) -> bool:
    """Return whether an artifact holds decisions."""
    name = path.rpartition("/")[2]
    return path.startswith(f"{schema.REVIEW_DIR}/decisions") and name.endswith(".jsonl")


class _Known:
    """What a file of decisions held when it was last read."""

    def __init__(self) -> None:
        self.content = b""  # whole lines
        self.decisions: list[Decision] = []
        self.torn = self.turn = 0

    def take(self, content: bytes) -> bytes:
        """Take in what the file holds now; return the lines to append to it first, where it lost known decisions."""
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
    """Return what makes a file that lost known decisions hold them again, each at its place among the others.

    Where lines were edited, both stay, and the edited ones come later: they have the last word.
    """
    wanted: list[Decision] = []
    for what, *ends in SequenceMatcher(None, known, found, autojunk=False).get_opcodes():
        wanted += known[ends[0] : ends[1]]
        wanted += found[ends[2] : ends[3]] if what != "equal" else []
    same = next(
        (k for k, pair in enumerate(zip(wanted, found, strict=False)) if pair[0] != pair[1]), len(found)
    )
    return b"".join(map(line, wanted[same:]))


def _joined(content: bytes, lines: bytes) -> bytes:
    """Return a file's bytes with lines more; a torn line of a server that was killed ends before them."""
    return content + (b"" if content[-1:] in (b"", b"\n") else b"\n") + lines


class _Kept:
    """What is known of all files of decisions, by their names."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}
        self._merged: tuple[list[list[Decision]], list[Decision]] = [], []

    @property
    def torn(self) -> int:
        """How many lines are no decision."""
        return sum(known.torn for known in self._known.values())

    def all(self) -> list[Decision]:
        """Return all decisions in their order: those of this server, and those of others as they are found.

        Raises:
            TrackingError: the files lost decisions that are known, and do not take them again.
        """
        self._look()
        files = [known.decisions for _, known in sorted(self._known.items())] or [[]]
        if not _are_same(files, self._merged[0]):
            self._merged = files, merged(files)
        return self._merged[1]

    def _look(self) -> None:
        raise NotImplementedError

    def _of(self, name: str) -> _Known:
        return self._known.setdefault(name, _Known())

    def _with_turn(self, decision: Decision) -> Decision:
        newest = max((known.turn for known in self._known.values()), default=0)
        return decision._replace(turn=min(newest + 1, MAX_TURN))


def _are_same(files, others):
    return len(files) == len(others) and all(one is other for one, other in zip(files, others, strict=True))


class _State(NamedTuple):
    """What tells whether a file changed; the time of a change of its inode cannot be set back."""

    inode: int
    size: int
    modified: int
    changed: int


class Appended(_Kept):
    """Decisions in `review/decisions.jsonl` of a local folder; several servers may append to it."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self.folder = root / schema.REVIEW_DIR
        self.lock = FileLock(root.parent / LOCK, timeout=LOCK_TIMEOUT)
        self._states: dict[str, _State | None] = {}

    def append(self, decision: Decision) -> None:
        """Write a line and have the disk keep it.

        Raises:
            TrackingError: the disk does not take it; the file is as before.
        """
        name = Path(schema.DECISIONS_FILE).name
        with raised_as(TrackingError, self.folder / name), self.lock:
            self._look()
            self._append(name, line(self._with_turn(decision)))

    def _look(self) -> None:
        with raised_as(TrackingError, self.folder):
            names = {path.name for path in self.folder.glob("decisions*.jsonl")} | set(self._known)
        for name in sorted(names):
            with raised_as(TrackingError, self.folder / name):
                self._read(name)

    def _read(self, name):
        state = self._state(name)
        if name in self._states and state == self._states[name]:
            return
        if self._of(name).take(self._content(name)):
            with self.lock:  # what is missing may be on its way from another server
                missing = self._of(name).take(self._content(name))
                if missing:
                    self._append(name, missing)
                return
        self._states[name] = state

    def _append(self, name, lines):
        """Append lines, or leave the file as it is; the lock is held."""
        self.folder.mkdir(exist_ok=True)
        with (self.folder / name).open("ab", buffering=0) as file:
            content, end = self._content(name), file.tell()
            longer = _joined(content, lines)
            try:
                _write(file, longer[len(content) :])
            except BaseException:
                file.truncate(end)
                raise
        self._of(name).take(longer)
        state = self._state(name)
        if state and state.size == len(longer):  # else somebody edits it at this moment
            self._states[name] = state

    def _state(self, name):
        try:
            found = (self.folder / name).stat()
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(found.st_mode):
            raise TrackingError(f"{self.folder / name} is not a regular file; move it away")
        return _State(found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)

    def _content(self, name):
        return b"" if self._state(name) is None else (self.folder / name).read_bytes()


def _write(file, content):
    """Write all of it: a disk that fills up takes the first part of a line without an error."""
    while content:
        content = content[file.write(content) :]
    os.fsync(file.fileno())


class Logged(_Kept):
    """Decisions in a store that appends nothing: each session logs a file of its own, longer by a line each time."""

    def __init__(self, run: Files, reader: Reader) -> None:
        super().__init__()
        self.run, self.reader = run, reader
        self.path = f"{schema.REVIEW_DIR}/decisions-{secrets.token_hex(4)}.jsonl"
        self._next = 0.0

    def append(self, decision: Decision) -> None:
        """Log the session's file again, with a line more.

        Raises:
            TrackingError: the store does not take it.
        """
        known = self._of(self.path)
        content = known.content + line(self._with_turn(decision))
        self.run.log_bytes(content, self.path)
        known.take(content)

    def _look(self) -> None:
        """Read what other sessions decided meanwhile, and write again what is gone."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + EVERY
        with contextlib.suppress(TrackingError):  # what the reviewer decides counts all the same
            there = set(filter(is_of_decisions, self.run.files(schema.REVIEW_DIR)))
            for path in sorted(there | set(self._known)):
                content = self.reader.read(path) if path in there else b""
                missing = self._of(path).take(content)
                if missing:
                    self.run.log_bytes(_joined(content, missing), path)
                    self._of(path).take(_joined(content, missing))


Storage = Appended | Logged


def of_all(run: Files, reader: Reader) -> Iterable[tuple[str, bytes]]:
    """Return (path, bytes) of all files of decisions that a run has."""
    return [
        (path, reader.read(path)) for path in sorted(filter(is_of_decisions, run.files(schema.REVIEW_DIR)))
    ]
