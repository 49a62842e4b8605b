"""Join tables by sample id; no other module does."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


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
    keys, known = array(wanted), array(ids)
    if keys.equals(known):
        return np.arange(len(keys))
    if keys.type != known.type:
        keys, known = keys.cast(pa.string()), known.cast(pa.string())
    found = pc.index_in(keys, value_set=known).fill_null(-1)
    return found.to_numpy(zero_copy_only=False).astype(np.int64)


def missing(wanted: Iterable, found: np.ndarray) -> list:
    """Return the `wanted` ids for which `rows` found no row."""
    return array(wanted).filter(pa.array(found < 0)).to_pylist()


def array(ids: Iterable) -> pa.Array:
    """Return ids as one arrow array: of ints if all are ints, else of strings.

    A column of pandas that came from several blocks of a file is in chunks, which are joined.
    """
    if hasattr(ids, "__arrow_array__"):
        column = pa.array(ids)
        ids = column.cast(pa.string()) if pa.types.is_large_string(column.type) else column
    if isinstance(ids, pa.ChunkedArray):
        return ids.combine_chunks()
    if isinstance(ids, pa.Array):
        return ids
    values: list = list(ids)
    numbers = values and all(isinstance(value, int | np.integer) for value in values)
    return pa.array(values, pa.int64()) if numbers else pa.array(map(str, values), pa.string())
