"""Print messages for the user.

Our own command prints each line to standard output. In a user's process, a line goes to the logger `datamap` at level
INFO if the user's logging handles that level; otherwise it is printed.
`logging.getLogger("datamap").setLevel("WARNING")` silences it. No handler is ever added.
"""

import contextlib
import errno
import functools
import io
import logging
import os
import re
import sys
import threading
import time
from collections.abc import Iterator
from contextvars import ContextVar, copy_context
from typing import Any, TextIO

from datamap.errors import masked
from datamap.translations import Phrase, translate

# Characters that move a terminal's cursor, color it, reverse its text or begin a line of their own; class names and
# ids may contain them.
CONTROLS = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")

QUIET_SECONDS = 1.0  # seconds of silent work before a line reports it
REPEAT_SECONDS = 10.0  # seconds between lines that say that the work continues
STILL = "still {what} ({seconds} s)"
STARTING = "starting …"  # shown on a terminal until the first line; as wide in Chinese
SHORT = 0.2  # shortest wait for a server, in seconds, that a line reports

logger = logging.getLogger("datamap")
_beginning: str | None = None  # prefix of each line of our own command; None in a user's process
_starting = False  # STARTING is on the terminal
_told = time.monotonic()  # when our own command printed its last line, or began
_silent: ContextVar[bool] = ContextVar("silent", default=False)


def printable(text: str) -> str:
    r"""Mask passwords in a text, make it one line, and replace characters that control the terminal.

    >>> printable("label \x1b[2Jyes"), printable("label\nnext: rm -r .")
    ('label ?[2Jyes', 'label next: rm -r .')
    """
    return CONTROLS.sub("?", masked(text).replace("\n", " "))


def own_lines(beginning: str = "") -> None:
    """Print all lines from now on, as our own command does, with a prefix if several processes share a terminal."""
    global _beginning
    _beginning = printable(beginning)


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Print nothing in the block, in this thread, because reading a run is not work to report."""
    token = _silent.set(True)
    try:
        yield
    finally:
        _silent.reset(token)


def say(text: str | Phrase, /, **values: object) -> None:
    """Tell the user a line, after `printable`; the work continues even if that fails.

    Args:
        text: a template in English, said in the language of this process's lines, or one with its values.
        values: its {fields}; see `translations.translate`.
    """
    if _silent.get():
        return
    phrase = text if isinstance(text, Phrase) else Phrase(text, values)
    translated = translate(phrase.text, **phrase.values)
    line = printable(translated)
    with contextlib.suppress(Exception):
        if _beginning is not None:
            print_line(_beginning + line)
        elif logger.isEnabledFor(logging.INFO) and logger.hasHandlers():
            logger.info("%s", line)
        elif logger.level <= logging.INFO and logger.manager.disable < logging.INFO:
            print_line(line)


@contextlib.contextmanager
def reporting(text: str, remote: bool = False, /, **values: object) -> Iterator[None]:
    """Report what the block does if it takes longer than `QUIET_SECONDS`, and again every `REPEAT_SECONDS`.

    Args:
        text: see `say`.
        remote: the block waits for a server. Our own command then counts the seconds since its last line, as it waits
            often and briefly.
        **values: see `say`.
    """
    since = time.monotonic() - _told if remote and _beginning is not None else 0
    done, first = threading.Event(), max(QUIET_SECONDS - since, min(SHORT, QUIET_SECONDS))
    threading.Thread(
        target=copy_context().run, args=(_tell, Phrase(text, values), first, done), daemon=True
    ).start()
    try:
        yield
    finally:
        done.set()


def _tell(what: Phrase, first: float, done: threading.Event) -> None:
    """Report the work after `first` seconds, and again every `REPEAT_SECONDS`, until it is done."""
    began = time.monotonic()
    if done.wait(first):
        return
    say(what)
    while not done.wait(REPEAT_SECONDS):
        say(STILL, what=what, seconds=round(time.monotonic() - began))


def show_starting() -> None:
    """Show on a terminal that the command has started, as imports take seconds; the first line replaces it."""
    global _starting
    if sys.stderr.isatty():
        print(translate(STARTING), end="\r", file=sys.stderr, flush=True)
        _starting = True


def clear_starting() -> None:
    """Remove what `show_starting` has shown."""
    global _starting
    if _starting:
        _starting = False
        with contextlib.suppress(OSError):
            print(" " * len(STARTING), end="\r", file=sys.stderr, flush=True)


def print_line(line: str) -> None:
    """Print a line at once; if standard output cannot be written to, report that once on standard error.

    Nothing unwritten stays in the stream's buffer, because Python would fail with it again when it exits.
    """
    global _told
    _told = time.monotonic()
    try:
        with _bars_aside():
            write_line(line)
    except OSError as error:
        _report_unwritable(str(error))


def write_line(line: str) -> None:
    """Write a line to standard output at once.

    Raises:
        OSError: writing failed; a closed pipe raises nothing.
    """
    with contextlib.suppress(BrokenPipeError):
        _write(sys.stdout, sys.__stdout__, line)


def print_error(line: str) -> None:
    """Print a line to standard error at once; ignore a failure, since there is nowhere to report it."""
    with contextlib.suppress(OSError):
        _write(sys.stderr, sys.__stderr__, line)


def _write(stream: TextIO | None, own: TextIO | None, line: str) -> None:
    clear_starting()
    if stream is None:  # closed before Python began
        return
    encoding = getattr(stream, "encoding", None) or "utf-8"
    encoded = (line + "\n").encode(encoding, "backslashreplace")
    if stream is not own or not isinstance(stream, io.TextIOWrapper):  # a notebook's stream
        print(encoded.decode(encoding), end="", file=stream, flush=True)
        return
    stream.flush()
    raw: Any = getattr(stream.buffer, "raw", stream.buffer)
    left = memoryview(encoded.replace(b"\n", os.linesep.encode()))
    while left:
        written = raw.write(left)
        if written is None:  # the user made it non-blocking, and it is full
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        left = left[written:]


def _bars_aside() -> contextlib.AbstractContextManager[None]:
    """Clear the progress bars of tqdm in the block, to which a line would stick, and draw them again."""
    bars: Any = sys.modules.get("tqdm.std")
    return bars.tqdm.external_write_mode() if bars else contextlib.nullcontext()


@functools.cache
def _report_unwritable(reason: str) -> None:
    print_error(f"note: writing to standard output failed ({reason}); the work continues")
