"""The history of chosen samples: what the model said of each at every observation."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from datamap import schema
from datamap.signals import align, shards
from datamap.signals.shards import Readable, ShardsByObservation


class Trajectories(NamedTuple):
    """Arrays (observations, samples) of chosen samples.

    `label_probs` float32, NaN where a sample is missing from an observation; `correct` bool;
    `predicted` int32 class index, −1 where missing, or None where no observation has it.
    """

    numbers: tuple[int, ...]
    label_probs: np.ndarray
    correct: np.ndarray
    predicted: np.ndarray | None


def read(artifacts: Readable, observed: ShardsByObservation, ids: Iterable) -> Trajectories:
    """Read the trajectories of the samples `ids`, shard by shard, so that memory is theirs and one shard's.

    Args:
        artifacts: where the shards lie.
        observed: the observations' shards, ascending.
        ids: ids of the samples, in the order wanted.
    Raises:
        SignalError: a shard is damaged.
    """
    wanted = align.array(ids)
    shape = (len(observed), len(wanted))
    label_probs, correct = np.full(shape, np.nan, np.float32), np.zeros(shape, bool)
    predicted = np.full(shape, -1, np.int32)
    before: dict[int, tuple[pa.Array, np.ndarray]] = {}  # index of a shard → its ids and their rows
    for t, parts in enumerate(observed.values()):
        for part in parts:
            table = shards.read_one(artifacts, part, _is_shown)
            ids = table["id"].combine_chunks()
            if part.index not in before or not before[part.index][0].equals(ids):
                before[part.index] = ids, align.rows(ids, wanted)
            rows = before[part.index][1]
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
