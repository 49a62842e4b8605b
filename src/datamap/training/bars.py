"""Show progress bars, if this process has the terminal for itself."""

import multiprocessing
import shutil
from collections.abc import Iterable
from functools import partial


def steps(iterable: Iterable, unit: str = "step") -> Iterable:
    """Show a progress bar over an epoch's batches, or other units.

    A terminal that does not report its size counts as 80 columns by 24 lines.
    """
    from tqdm import tqdm

    size = shutil.get_terminal_size()
    shared = True if multiprocessing.parent_process() else None  # None: tqdm shows the bar only on a terminal
    return tqdm(iterable, leave=False, disable=shared, unit=unit, ncols=size.columns - 1, nrows=size.lines)


tokenized_texts = partial(steps, unit=" texts tokenized")
observed_batches = partial(steps, unit=" batches observed")
