"""Where decisions are kept: in the run, at once, appended and never rewritten."""

import contextlib
import fcntl
import os
import secrets
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from datamap import schema
from datamap.errors import TrackingError, raised_as
from datamap.review.decisions import Decision, line, parse

EVERY = 5.0  # seconds after which other sessions' files are read anew, where that takes a download


class Files(Protocol):
    """A run's artifacts, read and written."""

    def files(self, folder: str | None) -> list[str]:
        """Artifact paths in a folder."""

    def log_bytes(self, content: bytes, path: str) -> None:
        """Log bytes as an artifact."""


def is_of_decisions(path: str) -> bool:
    """Whether an artifact holds decisions."""
    name = path.rpartition("/")[2]
    return path.startswith(f"{schema.REVIEW_DIR}/decisions") and name.endswith(".jsonl")


class Appended:
    """Decisions in `review/decisions.jsonl` of a local folder; several servers may append to it."""

    def __init__(self, root: Path) -> None:
        self.folder = root / schema.REVIEW_DIR
        self.read: dict[Path, int] = {}  # file → bytes of it that were taken in
        self.torn = 0

    def append(self, decision: Decision) -> None:
        """Write a line and have the disk keep it.

        Raises:
            TrackingError: the disk does not take it.
        """
        path = self.folder / Path(schema.DECISIONS_FILE).name
        with raised_as(TrackingError, path):
            self.folder.mkdir(parents=True, exist_ok=True)
            with path.open("ab+") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                end = file.seek(0, os.SEEK_END)
                torn = end and os.pread(file.fileno(), 1, end - 1) != b"\n"  # of a server that was killed
                os.write(file.fileno(), (b"\n" if torn else b"") + line(decision))
                os.fsync(file.fileno())

    def new(self) -> list[Decision]:
        """Decisions that were written since the last call, by this server or another."""
        found: list[Decision] = []
        for path in sorted(self.folder.glob("decisions*.jsonl")):
            with raised_as(TrackingError, path):
                content = self._unread(path)
            decisions, bad = parse(content)
            found += decisions
            self.torn += bad
        return found

    def _unread(self, path: Path) -> bytes:
        """The whole lines of a file that were not taken in yet; another server may be writing the next one."""
        start = self.read.get(path, 0)
        if path.stat().st_size <= start:
            return b""
        with path.open("rb") as file:
            file.seek(start)
            content = file.read()
        content = content[: content.rfind(b"\n") + 1]
        self.read[path] = start + len(content)
        return content


class Logged:
    """Decisions in a store that appends nothing: each session logs a file of its own, longer by a line each time."""

    def __init__(self, run: Files, read: "Reader") -> None:
        self.run, self.reader = run, read
        self.path = f"{schema.REVIEW_DIR}/decisions-{secrets.token_hex(4)}.jsonl"
        self.content = b""
        self.unread: list[Decision] = []
        self.read: dict[str, int] = {}
        self.torn, self.next = 0, 0.0

    def append(self, decision: Decision) -> None:
        """Log the session's file anew, with a line more.

        Raises:
            TrackingError: the store does not take it.
        """
        content = self.content + line(decision)
        self.run.log_bytes(content, self.path)
        self.content = content
        self.unread.append(decision)

    def new(self) -> list[Decision]:
        """Decisions that were made since the last call; those of other sessions some seconds later."""
        found, self.unread = self.unread, []
        if time.monotonic() >= self.next:
            self.next = time.monotonic() + EVERY
            with contextlib.suppress(TrackingError):  # what the reviewer decides counts all the same
                for path in filter(is_of_decisions, self.run.files(schema.REVIEW_DIR)):
                    if path != self.path:
                        found += self._others(path)
        return found

    def _others(self, path: str) -> list[Decision]:
        """What another session decided since."""
        content = self.reader.read(path)
        decisions, bad = parse(content[self.read.get(path, 0) :])
        self.read[path] = len(content)
        self.torn += bad
        return decisions


class Reader(Protocol):
    """What reads a run's artifacts."""

    def read(self, path: str) -> bytes:
        """Bytes of an artifact."""


Storage = Appended | Logged


def of_all(run: Files, reader: Reader) -> Iterable[tuple[str, bytes]]:
    """(path, bytes) of all files of decisions that a run has."""
    return [
        (path, reader.read(path)) for path in sorted(filter(is_of_decisions, run.files(schema.REVIEW_DIR)))
    ]
