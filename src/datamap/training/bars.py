"""Show progress bars, if this process has the terminal for itself."""

import multiprocessing
import shutil
import sys
import time
from collections.abc import Iterable, Iterator
from functools import partial

from datamap.log import say
from datamap.translations import translate

HEARTBEAT = 60.0  # seconds between two lines where no terminal shows a bar


def steps(iterable: Iterable, unit: str = "step") -> Iterable:
    """Show a progress bar over an epoch's batches, or other units; where there is no terminal, lines with the time.

    A terminal that does not report its size counts as 80 columns by 24 lines.
    """
    from tqdm import tqdm

    if multiprocessing.parent_process():  # the terminal is shared
        return iterable
    if not sys.stderr.isatty():
        return _told(iterable)
    size = shutil.get_terminal_size()
    return tqdm(iterable, leave=False, unit=translate(unit), ncols=size.columns - 1, nrows=size.lines)


def _told(iterable: Iterable) -> Iterator:
    """Yield the items, and print how many are done every `HEARTBEAT` seconds."""
    items = list(iterable)
    told = time.monotonic()
    for done, item in enumerate(items):
        if time.monotonic() - told >= HEARTBEAT:
            told = time.monotonic()
            say("{time}  {done:,} of {total:,} in this pass", time=clock(), done=done, total=len(items))
        yield item


def clock() -> str:
    """Return the time of day, for lines that are read in a log."""
    return time.strftime("%H:%M:%S")


tokenized_texts = partial(steps, unit=" texts tokenized")
observed_batches = partial(steps, unit=" batches observed")
