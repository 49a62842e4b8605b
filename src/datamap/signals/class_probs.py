"""Average each sample's predicted distribution over the observations."""

from functools import partial
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datamap.errors import SignalError, first_few
from datamap.signals import align, prefetch, shards


class ClassProbs(NamedTuple):
    """Hold the average distributions of N samples over T observations and C classes.

    Attributes:
        ids: arrow array (N,).
        probs: float32 (N, C), the arithmetic mean of each sample's distributions; None if the probabilities of all
            classes were not recorded.
        wrong: int (T,), the number of samples that each observation predicted wrong.
        correct: bool (T, N), True where an observation predicted the given label; False where it lacks the sample.
    """

    ids: pa.Array
    probs: np.ndarray | None
    wrong: np.ndarray
    correct: np.ndarray

    def ordered(self, ids: pa.Array, where: str) -> "ClassProbs":
        """Return the same in the order of `ids`, an arrow array.

        Raises:
            SignalError: a sample is missing; the message says that `where` lacks it.
        """
        if ids.equals(self.ids):
            return self
        rows = align.rows(ids, self.ids)
        if (rows < 0).any():
            raise SignalError(f"{where} lacks sample {first_few(align.missing(ids, rows))}")
        probs = None if self.probs is None else self.probs[rows]
        return self._replace(ids=ids, probs=probs, correct=self.correct[:, rows])


def read(
    artifacts: shards.Readable,
    whole: shards.ShardsByObservation,
    allow_missing: bool = False,
    binary: bool = False,
) -> ClassProbs:
    """Average the distributions of all samples; memory holds the result and a few shards, which threads read ahead.

    Args:
        artifacts: where the shards are.
        whole: the shards of each observation, ascending.
        allow_missing: allow samples that some observations lack; their mean covers the other observations.
        binary: there are two classes; if their probabilities were not recorded, the given label's tells them.

    Raises:
        SignalError: a shard is damaged, or the shards have different numbers of classes.
    """
    ids, means, wrong, correct = [], [], [], []
    with prefetch.thread_pool() as pool:
        for group in shards.groups(whole, allow_missing):
            sums = _Sums(binary)
            tables = prefetch.results_of(partial(shards.read, artifacts), group.values(), pool)
            for number, table in zip(group, tables, strict=True):
                sums.add(table, number)
            ids.append(sums.ids)
            means.append(sums.mean())
            wrong.append(sums.wrong)
            correct.append(sums.correct())
    widths = {mean.shape[1] for mean in means}
    if len(widths) > 1:
        raise SignalError(f"shards have different numbers of classes: {first_few(sorted(widths))}")
    known = min(widths) > 0
    probs = np.concatenate(means) if known else None
    return ClassProbs(pa.concat_arrays(ids), probs, np.sum(wrong, axis=0), np.concatenate(correct, axis=1))


class _Sums:
    """Add up the distributions of some samples, and count the observations of each sample."""

    def __init__(self, binary):
        self.binary, self.ids, self.wrong = binary, None, []
        self._right = []  # rows that each observation predicted right

    def add(self, table, number):
        """Add the records of one observation, an arrow table."""
        ids, probs = table["id"].combine_chunks(), _matrix(table, number, self.binary)
        self.wrong.append(table.num_rows - np.count_nonzero(table["correct"]))
        if self.ids is None:
            self.ids, self.counts = ids, np.zeros(len(ids), np.int64)
            self.sums = np.zeros(probs.shape)
        if self.sums.shape[1] != probs.shape[1]:
            raise SignalError(
                f"observation {number} has {probs.shape[1]} classes, earlier ones have {self.sums.shape[1]}"
            )
        if ids.type != self.ids.type:
            raise SignalError(f"observation {number}: ids are {ids.type}, earlier ones are {self.ids.type}")
        rows = align.rows(ids, self.ids)
        new = rows < 0
        if new.any():
            rows[new] = len(self.ids) + np.arange(new.sum())
            self.ids = pa.concat_arrays([self.ids, ids.filter(pa.array(new))])
            more = np.zeros((new.sum(), self.sums.shape[1]))
            self.sums = np.concatenate([self.sums, more])
            self.counts = np.concatenate([self.counts, np.zeros(len(more), np.int64)])
        self.sums[rows] += probs
        self.counts[rows] += 1
        self._right.append(rows[table["correct"].to_numpy()])

    def correct(self):
        """Return which samples each observation predicted right, bool (observations, samples)."""
        found = np.zeros((len(self._right), len(self.counts)), bool)
        for row, right in zip(found, self._right, strict=True):
            row[right] = True
        return found

    def mean(self):
        return (self.sums / self.counts[:, None]).astype(np.float32)


def _matrix(table, number, binary):
    """Return probabilities as float (samples, classes); with 0 classes if they are unknown."""
    if "probs" not in table.column_names and binary:
        given, label = (table[name].to_numpy() for name in ("label_probs", "label"))
        first = np.where(label == 0, given, 1 - given)
        return np.stack([first, 1 - first], axis=1)
    if "probs" not in table.column_names:
        return np.zeros((table.num_rows, 0))
    classes = pc.min_max(pc.list_value_length(table["probs"])).as_py()
    if classes["min"] != classes["max"]:
        raise SignalError(f"observation {number}: the records of probs have different numbers of classes")
    return pc.list_flatten(table["probs"]).to_numpy().reshape(-1, classes["max"])
