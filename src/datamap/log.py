"""What Data Map says as it works: one logger, `datamap`, whose lines go to standard output as they are.

Whoever uses the library can silence or redirect it like any other logger: `logging.getLogger("datamap")`.
"""

import logging
import os
import sys


class _Stdout(logging.StreamHandler):
    """Writes to what `sys.stdout` is at the time; when nobody reads it any more, the work goes on."""

    def __init__(self):
        logging.Handler.__init__(self)

    @property
    def stream(self):
        return sys.stdout

    def handleError(self, record):  # noqa: N802  logging's name
        if isinstance(sys.exc_info()[1], BrokenPipeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        else:
            super().handleError(record)


logger = logging.getLogger("datamap")
if not logger.handlers:
    logger.addHandler(_Stdout())
    logger.setLevel(logging.INFO)
    logger.propagate = False  # the root logger's handlers would say it a second time


def say(text: str) -> None:
    """Log a line at level INFO; it is printed at once, also into a pipe."""
    logger.info("%s", text)
