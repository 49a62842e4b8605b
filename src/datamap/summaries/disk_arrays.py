"""Keep numbers and lines of all samples on disk; memory holds a block of them."""

import contextlib
import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np

BLOCK = 1 << 20  # numbers, or bytes of lines, that are read at once
MAX_SORTED = 1 << 22  # numbers that are sorted at once


class DiskLines:
    """Keep lines in a temporary file; they can be read once."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  closed when all is read

    def __del__(self) -> None:
        self._file.close()

    def append(self, lines: bytes) -> None:
        """Add lines at the end."""
        self._file.write(lines)

    def __iter__(self) -> Iterator[bytes]:
        with self._file:
            self._file.seek(0)
            while block := self._file.read(BLOCK):
                yield block


class DiskArray(contextlib.AbstractContextManager):
    """Keep an array that grows in a temporary file.

    >>> with DiskArray(np.int64) as numbers:
    ...     numbers.append(np.array([7, 8]))
    ...     numbers.append(np.array([9, 7]))
    ...     repeated = numbers.repeated()
    ...     print(len(numbers), repeated, numbers.rows_of(repeated))
    4 [7] [0 3]
    """

    def __init__(self, dtype: type[np.number]) -> None:
        self.dtype, self._count = np.dtype(dtype), 0
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  closed by __exit__

    def __exit__(self, *error: Any) -> None:
        self._file.close()

    def __len__(self) -> int:
        return self._count

    def append(self, values: np.ndarray) -> None:
        """Add numbers at the end."""
        self._file.write(np.ascontiguousarray(values, self.dtype).data)
        self._count += len(values)

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield all numbers, `BLOCK` at a time."""
        self._file.seek(0)
        while content := self._file.read(BLOCK * self.dtype.itemsize):
            yield np.frombuffer(content, self.dtype)

    def repeated(self, max_sorted: int = MAX_SORTED) -> np.ndarray:
        """Return the numbers that occur more than once.

        Numbers are divided into groups by the remainder of a division, and about `max_sorted` are sorted at once.
        """
        if self._ascend():  # row numbers do, and need no sorting
            return np.zeros(0, self.dtype)
        rounds = max(1, -(-self._count // max_sorted))
        found = []
        for rest in range(rounds):
            some = np.concatenate([b[b % rounds == rest] for b in self.blocks()] or [[]])
            some.sort()
            found.append(np.unique(some[1:][some[1:] == some[:-1]]))
        return np.concatenate(found)

    def _ascend(self) -> bool:
        last = None
        for block in self.blocks():
            if (block[1:] <= block[:-1]).any() or (last is not None and block[0] <= last):
                return False
            last = block[-1]
        return True

    def rows_of(self, numbers: np.ndarray) -> np.ndarray:
        """Return the positions of these numbers, ascending from 0."""
        found = [np.flatnonzero(np.isin(block, numbers)) for block in self.blocks()]
        return np.concatenate([rows + index * BLOCK for index, rows in enumerate(found)])
