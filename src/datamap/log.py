"""What Data Map tells the user as it works.

In a process of our own command each line goes to standard output. In the user's process it is a guest: a line goes to
the logger `datamap` at level INFO where the user's logging takes that, and is printed where it does not.
`logging.getLogger("datamap").setLevel("WARNING")` silences it. No handler is ever added.
"""

import contextlib
import functools
import io
import logging
import os
import re
import sys
from typing import Any, TextIO

from datamap.errors import masked

# Characters that move a terminal's cursor, color it or reverse its text; class names and ids may contain them.
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")

logger = logging.getLogger("datamap")
_beginning: str | None = None  # of each line of our own command; None in the user's process


def printable(text: str) -> str:
    """Mask passwords in a text, and replace characters that control the terminal.

    >>> printable("label \\x1b[2Jyes")
    'label ?[2Jyes'
    """
    return CONTROLS.sub("?", masked(text))


def own_lines(beginning: str = "") -> None:
    """Print all lines from now on, as our own command does; each begins with a text where several share a terminal."""
    global _beginning
    _beginning = printable(beginning)


def say(text: str) -> None:
    """Tell the user a line, `printable`; whatever becomes of it, the work goes on."""
    line = printable(text)
    with contextlib.suppress(Exception):
        if _beginning is not None:
            print_line(_beginning + line)
        elif logger.isEnabledFor(logging.INFO) and logger.hasHandlers():
            logger.info("%s", line)
        elif logger.level <= logging.INFO and logger.manager.disable < logging.INFO:
            print_line(line)


def print_line(line: str) -> None:
    """Print at once; where standard output takes nothing, report that once on standard error.

    What could not be written never stays in the stream's buffer: Python would fail with it once more, at its end.
    """
    try:
        write_line(line)
    except OSError as error:
        _report_unwritable(str(error))


def write_line(line: str) -> None:
    """Write a line to standard output at once.

    Raises:
        OSError: it takes nothing; where only nobody reads any more, that is well.
    """
    with contextlib.suppress(BrokenPipeError):
        _write(sys.stdout, sys.__stdout__, line)


def print_error(line: str) -> None:
    """Print on standard error, at once; where that takes nothing, nobody can be told."""
    with contextlib.suppress(OSError):
        _write(sys.stderr, sys.__stderr__, line)


def _write(stream: TextIO, own: TextIO | None, line: str) -> None:
    encoding = getattr(stream, "encoding", None) or "utf-8"
    encoded = (line + "\n").encode(encoding, "backslashreplace")
    if stream is not own or not isinstance(stream, io.TextIOWrapper):  # a notebook's, or none
        print(encoded.decode(encoding), end="", file=stream, flush=True)
        return
    stream.flush()
    raw: Any = getattr(stream.buffer, "raw", stream.buffer)
    left = memoryview(encoded.replace(b"\n", os.linesep.encode()))
    while left:
        left = left[raw.write(left) :]


@functools.cache
def _report_unwritable(reason: str) -> None:
    print_error(f"note: writing to standard output failed ({reason}); the work continues")
