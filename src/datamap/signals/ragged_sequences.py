"""Convert one sequence per sample, however people keep them, to one flat array and the sequences' lengths."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from datamap.errors import SignalError
from datamap.signals.arrays import as_array, refuse_other_than_numbers


class Ragged(NamedTuple):
    """Hold one sequence of numbers per sample: all values in order, and the int64 length of each sequence."""

    values: np.ndarray
    lengths: np.ndarray

    @property
    def rows(self) -> np.ndarray:
        """Return the sample of each value, an int array like `values`."""
        return np.repeat(np.arange(len(self.lengths)), self.lengths)


def as_ragged(values: Any, name: str, where: str, count: int) -> Ragged:
    """Return sequences of any lengths: lists of lists, arrays or tensors, or a padded array of two dimensions.

    Args:
        values: one sequence of numbers per sample.
        name: name of the argument, for messages.
        where: beginning of error messages.
        count: the number of samples.

    Raises:
        SignalError: it is not one sequence of numbers per sample.

    >>> as_ragged([[1.0, 2.0], [3.0]], "loss", "here", 2).lengths.tolist()
    [2, 1]
    """
    rows = _rows(values, name)
    if len(rows) != count:
        raise SignalError(f"{where}: {name} has {len(rows)} sequences for {count} ids")
    if isinstance(rows, np.ndarray):
        refuse_other_than_numbers(rows, name, where)
        if rows.ndim != 2:
            raise SignalError(
                f"{where}: {name} has shape {rows.shape}; give a sequence of numbers per sample"
            )
        return Ragged(rows.ravel(), np.full(len(rows), rows.shape[1], np.int64))
    parts = [as_array(row, name) for row in rows]
    for place, part in enumerate(parts):
        refuse_other_than_numbers(part, name, where)
        if part.ndim != 1:
            raise SignalError(
                f"{where}: {name} of sample {place} of the batch has shape {part.shape}; give its tokens' numbers"
            )
    lengths = np.array([len(part) for part in parts], np.int64)
    return Ragged(np.concatenate(parts) if parts else np.zeros(0), lengths)


def _rows(values: Any, name: str) -> np.ndarray | Sequence[Any]:
    """Return an array of two dimensions as it is, and a list, or a column of lists, as a list of its rows."""
    if hasattr(values, "to_pylist"):  # of Arrow
        values = values.to_pylist()
    if isinstance(values, list | tuple):
        return values
    if str(getattr(values, "dtype", None)) == "object":  # a column of pandas, or an array of lists
        return list(values)
    return as_array(values, name)
