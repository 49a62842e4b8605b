"""Read the model's predictions for all samples at every observation, in the background, as arrays."""

from typing import Any

import numpy as np
import pyarrow as pa

from datamap.signals import trajectories
from datamap.signals.shards import Readable, ShardsByObservation
from datamap.signals.trajectories import Trajectories

MAX_CELLS = 200_000_000  # of 9 bytes, 1.8 GB in all; longer histories are thinned evenly


class Histories:
    """Hold the histories of N samples; `found` is None until `load` has ended."""

    def __init__(self) -> None:
        self.found: Trajectories | None = None

    def load(self, artifacts: Readable, observed: ShardsByObservation, ids: pa.Array) -> None:
        """Read the histories of all samples.

        Raises:
            SignalError: a shard is damaged.
        """
        self.found = trajectories.read(artifacts, thinned(observed, len(ids)), ids)

    def history(self, row: int) -> dict[str, Any] | None:
        """Return a sample's history as the page shows it; None until it is read."""
        if self.found is None:
            return None
        numbers, probs, correct, predicted = self.found
        there = np.isfinite(probs[:, row])
        return {
            "numbers": list(numbers),
            "label_probs": _or_null(probs[:, row].astype(float).round(4), there),
            "correct": _or_null(correct[:, row], there),
            "predicted": [None] * len(numbers) if predicted is None else _or_null(predicted[:, row], there),
        }


def thinned(observed: ShardsByObservation, samples: int) -> ShardsByObservation:
    """Return the observations, thinned evenly until the histories of all samples fit into memory.

    >>> list(thinned({n: [] for n in range(1, 9)}, MAX_CELLS // 3))
    [3, 6, 8]
    """
    most = max(1, MAX_CELLS // max(samples, 1))
    numbers = list(observed)
    if len(numbers) > most:
        numbers = [numbers[i] for i in np.linspace(len(numbers) - 1, 0, most + 1)[:-1].round().astype(int)][
            ::-1
        ]
    return {number: observed[number] for number in numbers}


def _or_null(values, there):
    return [value if known else None for value, known in zip(values.tolist(), there.tolist(), strict=True)]
