"""The processes of one training: alone, or under `python -m paddle.distributed.launch`."""

import os
from typing import Any

import numpy as np


class Processes:
    """This process among those that train together.

    `index` is 0 in the one that owns the MLflow run; `count` is 1 when it is alone.
    """

    def __init__(self, device: str | None = None) -> None:
        """Join the others, where there are any; `device` is what this process trains on."""
        self.index = int(os.environ.get("PADDLE_TRAINER_ID", 0))
        self.count = int(os.environ.get("PADDLE_TRAINERS_NUM", 1))
        if self.count > 1:
            from datamap.paddle_backend.framework import paddle

            if device:
                paddle.set_device(device)
            paddle.distributed.init_parallel_env()

    @property
    def first(self) -> bool:
        """Whether this process owns the run."""
        return self.index == 0

    def gather(self, value: Any) -> list:
        """[value of process 0, of process 1, …] in every process; waits for all of them."""
        if self.count == 1:
            return [value]
        from datamap.paddle_backend.framework import paddle

        values: list = []
        paddle.distributed.all_gather_object(values, value)
        return values

    def sum(self, array: np.ndarray) -> np.ndarray:
        """Sum of an array over the processes, in every process."""
        return np.sum(self.gather(array), axis=0) if self.count > 1 else array

    def rows(self, samples: int, index: int | None = None) -> range:
        """The range of `samples` rows that a process (this one by default) observes, in order."""
        index = self.index if index is None else index
        return range(samples * index // self.count, samples * (index + 1) // self.count)
