"""Read the history of chosen samples: the prediction for each at every observation."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from datamap import schema
from datamap.signals import align, prefetch, shards
from datamap.signals.shards import Readable, ShardsByObservation


class Trajectories(NamedTuple):
    """Hold the predictions for chosen samples over T observations.

    Attributes:
        numbers: numbers of the observations.
        label_probs: float32 (T, samples), NaN where an observation lacks the sample.
        correct: bool (T, samples).
        predicted: int32 (T, samples), class indices, −1 where missing; None if no observation has them.
    """

    numbers: tuple[int, ...]
    label_probs: np.ndarray
    correct: np.ndarray
    predicted: np.ndarray | None


def read(artifacts: Readable, observed: ShardsByObservation, ids: Iterable) -> Trajectories:
    """Read the trajectories of the samples `ids` shard by shard; memory holds the result and a shard per thread.

    Args:
        artifacts: where the shards are.
        observed: the shards of the observations, ascending.
        ids: ids of the samples; the result has their order.

    Raises:
        SignalError: a shard is damaged.
    """
    wanted = align.array(ids)
    index, shape = align.Index(wanted), (len(observed), len(wanted))
    label_probs, correct = np.full(shape, np.nan, np.float32), np.zeros(shape, bool)
    predicted = np.full(shape, -1, np.int32)
    # The observations of one shard of samples after the other: they mostly have the same ids.
    parts = [
        (t, part)
        for group in shards.groups(observed)
        for t, some in enumerate(group.values())
        for part in some
    ]
    before: tuple[pa.Array, np.ndarray] | None = None  # ids of the last shard, and their rows
    with prefetch.thread_pool() as pool:
        tables = prefetch.results_of(lambda one: shards.read_one(artifacts, one[1], _is_shown), parts, pool)
        for t, _ in parts:
            table = next(tables)
            ids = table["id"].combine_chunks()
            if before is None or not before[0].equals(ids):
                before = ids, index.rows(ids)
            rows = before[1]
            if (rows < 0).any():
                table, rows = table.filter(pa.array(rows >= 0)), rows[rows >= 0]
            label_probs[t, rows] = table["label_probs"].to_numpy()
            correct[t, rows] = table["correct"].to_numpy()
            if "pred_label" in table.column_names:
                predicted[t, rows] = table["pred_label"].to_numpy()
            del table
            pa.default_memory_pool().release_unused()
    return Trajectories(tuple(observed), label_probs, correct, predicted if (predicted >= 0).any() else None)


def _is_shown(key: str, _: pa.DataType) -> bool:
    return key == "pred_label" or key in schema.REQUIRED_SIGNALS
