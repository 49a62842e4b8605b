"""Join tables by sample id; no other module does."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

MANY = 1_000_000  # ids from which on rows are found by sorted hashes, which take a third of the memory of a hash table
BLOCK = 1 << 18  # ids that are looked up, or hashed, at once


def rows(wanted: Iterable, ids: Iterable) -> np.ndarray:
    """Find the row of each of the `wanted` ids among `ids`.

    Ids of different types are compared as text: 7 equals "7", and "007" is another sample.

    Args:
        wanted: arrow array, or an iterable of ints, of strings, or of both.
        ids: arrow array or iterable, too; the first row counts if an id occurs twice.

    Returns:
        int64 array (wanted,): rows from 0, −1 for an id that is not in `ids`.

    >>> rows(["b", "x", "a"], ["a", "b"])
    array([ 1, -1,  0])
    """
    return Index(ids).rows(wanted)


class Index:
    """Find rows among the same ids many times, as `rows` does once; the hashes of many ids are sorted only once."""

    def __init__(self, ids: Iterable) -> None:
        self._ids = array(ids)
        self._sorted: tuple[pa.Array, np.ndarray, np.ndarray] | None = None

    def rows(self, wanted: Iterable) -> np.ndarray:
        """Return the row of each id, int64 (wanted,); −1 for an unknown one."""
        keys, known = array(wanted), self._ids
        if keys.equals(known):
            return np.arange(len(keys))
        if keys.type != known.type:
            keys, known = keys.cast(pa.string()), known.cast(pa.string())
        return self._by_hashes(keys, known) if len(known) >= MANY else _by_table(keys, known)

    def _by_hashes(self, wanted, known):
        """Find rows by a binary search of hashes; matches are compared, and ids of one hash by chance are looked up."""
        if self._sorted is None or self._sorted[0].type != known.type:
            keys = hashes(known)
            order = np.argsort(keys, kind="stable")
            self._sorted = known, keys[order], order
        known, keys, order = self._sorted
        found = np.empty(len(wanted), np.int64)
        for start in range(0, len(wanted), BLOCK):
            some = wanted.slice(start, BLOCK)
            own = hashes(some)
            places = np.searchsorted(keys, own)
            places[places == len(keys)] = 0
            hit = keys[places] == own
            at = order[places]
            same = np.asarray(pc.equal(some, known.take(pa.array(at))))
            at[~same] = -1
            odd = hit & ~same
            if odd.any():
                suspects = np.sort(order[np.isin(keys, own[odd])])
                rows = _by_table(some.filter(pa.array(odd)), known.take(pa.array(suspects)))
                at[odd] = np.where(rows < 0, -1, suspects[rows])
            found[start : start + BLOCK] = at
        return found


def _by_table(wanted: pa.Array, known: pa.Array) -> np.ndarray:
    found = pc.index_in(wanted, value_set=known).fill_null(-1)
    return found.to_numpy(zero_copy_only=False).astype(np.int64)


def hashes(ids: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Return a uint64 for each id, equal for equal ids of one type, and hardly ever for others."""
    if pa.types.is_integer(ids.type):
        return ids.to_numpy().astype(np.int64, copy=False).view(np.uint64)
    import pandas as pd

    parts = [ids.slice(start, BLOCK) for start in range(0, len(ids), BLOCK)]
    found = np.empty(len(ids), np.uint64)
    for index, part in enumerate(parts):  # hashing makes objects of Python
        values = part.to_numpy() if isinstance(part, pa.ChunkedArray) else part.to_numpy(zero_copy_only=False)
        found[index * BLOCK :][: len(part)] = pd.util.hash_array(values, categorize=False)
    return found


def missing(wanted: Iterable, found: np.ndarray) -> list:
    """Return the `wanted` ids for which `rows` found no row."""
    return array(wanted).filter(pa.array(found < 0)).to_pylist()


def array(ids: Iterable) -> pa.Array:
    """Return ids as one arrow array: of ints if all are ints, else of strings.

    A column of pandas that came from several blocks of a file is in chunks, which are joined.
    """
    texts = getattr(ids, "array", ids)  # pandas holds texts as Arrow does
    if hasattr(texts, "__arrow_array__"):
        column = pa.array(texts)
        ids = column.cast(pa.string()) if pa.types.is_large_string(column.type) else column
    if getattr(getattr(ids, "dtype", None), "kind", "") == "i":
        return pa.array(np.asarray(ids), pa.int64())
    if isinstance(ids, pa.ChunkedArray):
        return ids.combine_chunks()
    if isinstance(ids, pa.Array):
        return ids
    values: list = list(ids)
    numbers = values and all(isinstance(value, int | np.integer) for value in values)
    return pa.array(values, pa.int64()) if numbers else pa.array(map(str, values), pa.string())
