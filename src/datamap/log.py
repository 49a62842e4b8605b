"""Print messages through one logger, `datamap`, whose lines go to standard output.

Users of the library can silence or redirect it like any other logger: `logging.getLogger("datamap")`.
"""

import logging
import os
import re
import sys
from typing import TextIO

from datamap.errors import masked

# Characters that move a terminal's cursor, color it or reverse its text; class names and ids may contain them.
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


class _Stdout(logging.StreamHandler):
    """Write to the current `sys.stdout`; if writing fails, the work continues without output."""

    beginning = ""  # of each line

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:
        return sys.stdout

    def format(self, record: logging.LogRecord) -> str:
        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        return (self.beginning + super().format(record)).encode(encoding, "backslashreplace").decode(encoding)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  logging's name
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
            return
        if not isinstance(error, BrokenPipeError):  # with a broken pipe, nobody reads the output
            print(f"note: writing to standard output failed ({error}); the work continues", file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


logger = logging.getLogger("datamap")
_stdout = _Stdout()
if not logger.handlers:
    logger.addHandler(_stdout)
    logger.setLevel(logging.INFO)
    logger.propagate = False  # the root logger's handlers would print each line a second time


def printable(text: str) -> str:
    """Mask passwords in a text, and replace characters that control the terminal.

    >>> printable("label \\x1b[2Jyes")
    'label ?[2Jyes'
    """
    return CONTROLS.sub("?", masked(text))


def begin_lines_with(text: str) -> None:
    """Put a text before each line from now on, since several processes share the terminal."""
    _stdout.beginning = printable(text)


def say(text: str) -> None:
    """Log a line at level INFO after `printable`; it is printed at once, into pipes too."""
    logger.info("%s", printable(text))
