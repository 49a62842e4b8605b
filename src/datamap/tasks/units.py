"""Name the units of a sample: decisions of the model that can be right or wrong, such as its tokens or its labels.

An observation of such a task has one row per unit, whose id is `<sample>:<position>`. So all that reads signals works
on units; what shows or writes whole samples asks here which sample a unit is of.
"""

from collections.abc import Collection, Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datamap.signals import align

SEPARATOR = ":"
ALPHA = 0.8  # weight of the worst unit in `exponential_average`


def ids_of(samples: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Return the ids of units, an object array, from the samples' ids and the units' positions.

    >>> ids_of(np.array([7, 7]), np.array([0, 1])).tolist()
    ['7:0', '7:1']
    """
    pairs = zip(samples.tolist(), positions.tolist(), strict=True)
    return np.array([f"{sample}{SEPARATOR}{position}" for sample, position in pairs], object)


def split(ids: Iterable) -> tuple[pa.Array, np.ndarray]:
    """Return the samples' ids, as text, and the positions, int64 (units,), of units.

    Raises:
        ValueError: an id is not that of a unit.

    >>> samples, positions = split(["a:b:0", "c:12"])
    >>> samples.to_pylist(), positions.tolist()
    (['a:b', 'c'], [0, 12])
    """
    found = pc.extract_regex(
        align.array(ids).cast(pa.string()), rf"^(?P<s>(?s:.*)){SEPARATOR}(?P<p>[0-9]{{1,9}})$"
    )
    if found.null_count:
        odd = align.array(ids)[int(np.asarray(found.is_null()).argmax())]
        raise ValueError(f"id {odd} is not <sample>{SEPARATOR}<position>")
    samples, positions = found.flatten()
    return samples, positions.cast(pa.int64()).to_numpy(zero_copy_only=False)


def follows(ids: Iterable) -> np.ndarray:
    """Tell which units come right after the one before them, in the same sample, bool (units,).

    >>> follows(["a:0", "a:1", "a:3", "b:4"]).tolist()
    [False, True, False, False]
    """
    samples, positions = split(ids)
    found = np.diff(positions, prepend=-2) == 1
    found[1:] &= pc.equal(samples[1:], samples[:-1]).to_numpy(zero_copy_only=False)
    return found


def sample_ids_of(wanted: Iterable[str], known: Collection[str]) -> list[str]:
    """Return the ids of the samples that ids name, which may be those of units: `<sample>:<position>`.

    >>> sample_ids_of(["7", "7:12", "a:b:0", "9:1"], {"7", "a:b"})
    ['7', '7', 'a:b', '9:1']
    """

    def of(one: str) -> str:
        sample, _, position = one.rpartition(SEPARATOR)
        return sample if one not in known and sample in known and position.isdecimal() else one

    return [of(one) for one in wanted]


class SampleNumbers:
    """Number the samples of units from 0, in order of appearance, some units at a time."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}

    @property
    def ids(self) -> pa.Array:
        """Return the ids of the samples, as text."""
        return pa.array(self._known, pa.string())

    def numbered(self, ids: Iterable) -> tuple[np.ndarray, np.ndarray]:
        """Return the number of the sample of each unit, and the unit's position, two int32 arrays (units,)."""
        samples, positions = split(ids)
        found = samples.dictionary_encode()
        distinct = found.dictionary.to_pylist()
        numbers = np.array([self._known.setdefault(name, len(self._known)) for name in distinct], np.int32)
        return numbers[found.indices.to_numpy(zero_copy_only=False)], positions.astype(np.int32)


def grouped(ids: Iterable) -> tuple[pa.Array, np.ndarray, np.ndarray]:
    """Return the distinct samples of units in order of appearance, and the sample and position of each unit.

    >>> samples, groups, positions = grouped(["b:0", "a:0", "b:1"])
    >>> samples.to_pylist(), groups.tolist(), positions.tolist()
    (['b', 'a'], [0, 1, 0], [0, 0, 1])
    """
    known, found = SampleNumbers(), align.array(ids)
    groups, positions = np.empty(len(found), np.int32), np.empty(len(found), np.int32)
    for start in range(0, len(found), align.BLOCK):  # texts of all units would take several times the memory
        some = slice(start, start + align.BLOCK)
        groups[some], positions[some] = known.numbered(found[some])
    return known.ids, groups, positions


def whole_groups(groups: np.ndarray, size: int = 1 << 20) -> Iterator[np.ndarray]:
    """Yield the rows of whole groups, about `size` at a time, group after group.

    >>> [rows.tolist() for rows in whole_groups(np.array([0, 1, 0, 2]), 2)]
    [[0, 2], [1, 3]]
    """
    order = np.argsort(groups, kind="stable")
    ends = np.cumsum(np.bincount(groups))
    start = 0
    while start < len(order):
        last = int(ends[min(int(np.searchsorted(ends, start + size)), len(ends) - 1)])
        yield order[start:last]
        start = last


def worst_rows(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Return the row of the smallest value of each group; the first of equal ones.

    cleanlab scores a sample of tokens by its worst token (`token_classification.rank`, method "min").

    Args:
        values: float (units,), such as avg_probs: low is bad.
        groups: int (units,), each from 0 to the number of groups − 1 occurs.

    >>> worst_rows(np.array([0.5, 0.1, 0.9]), np.array([0, 0, 1])).tolist()
    [1, 2]
    """
    order = np.lexsort((values, groups))
    first = np.flatnonzero(np.diff(groups[order], prepend=-1))
    return order[first]


def exponential_average(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Average the values of each group, the smaller the heavier: float64 (groups,).

    With the values sorted from the smallest, v_1 ≤ … ≤ v_n, it is α Σ_{k<n} (1 − α)^{k−1} v_k + (1 − α)^{n−1} v_n with
    α = 0.8: the exponential moving average from the best to the worst value, by which cleanlab scores samples of
    several labels (`multilabel_classification`, Thyagarajan et al. 2022).

    >>> exponential_average(np.array([0.5, 1.0, 0.3]), np.array([0, 0, 1])).round(3).tolist()
    [0.6, 0.3]
    """
    order = np.lexsort((values, groups))
    own = groups[order]
    starts = np.flatnonzero(np.diff(own, prepend=-1))
    sizes = np.diff(np.append(starts, len(own)))
    rank = np.arange(len(own)) - np.repeat(starts, sizes)
    last = rank == np.repeat(sizes, sizes) - 1
    weights = np.where(last, 1.0, ALPHA) * (1 - ALPHA) ** np.minimum(rank, 400)
    return np.add.reduceat(weights * np.asarray(values, np.float64)[order], starts)
