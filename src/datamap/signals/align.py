"""The one join by sample id: where the samples of one table stand in another."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def rows(wanted: Iterable, ids: Iterable) -> np.ndarray:
    """Where each of the `wanted` ids stands among `ids`.

    Ids of two types are compared as text: 7 is "7", and "007" is another sample.

    Args:
        wanted: arrow array, or an iterable of ints, of strings, or of both.
        ids: the same; of an id that occurs twice the first row is meant.
    Returns:
        int64 array (wanted,): rows from 0, −1 where `ids` has no such id.

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
    """The `wanted` ids that `rows` did not find."""
    return array(wanted).filter(pa.array(found < 0)).to_pylist()


def array(ids: Iterable) -> pa.Array:
    """Ids as one arrow array: of ints where all are, else of texts."""
    if isinstance(ids, pa.ChunkedArray):
        return ids.combine_chunks()
    if isinstance(ids, pa.Array):
        return ids
    values: list = list(ids)
    numbers = values and all(isinstance(value, int | np.integer) for value in values)
    return pa.array(values, pa.int64()) if numbers else pa.array(map(str, values), pa.string())
