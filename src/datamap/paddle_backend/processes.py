"""Join the processes of one training: this one alone, or those of `python -m paddle.distributed.launch`."""

import os
from typing import Any

import numpy as np


class Processes:
    """Represent this process among those that train together, and join the others.

    `index` is 0 in the process that owns the MLflow run; `count` is the number of processes.

    Args:
        device: the device that this process trains on.
    """

    def __init__(self, device: str | None = None) -> None:
        self.index = int(os.environ.get("PADDLE_TRAINER_ID", 0))
        self.count = int(os.environ.get("PADDLE_TRAINERS_NUM", 1))
        if self.count > 1:
            from datamap.paddle_backend.framework import paddle

            if device:
                paddle.set_device(device)
            paddle.distributed.init_parallel_env()

    @property
    def first(self) -> bool:
        """Tell whether this process owns the run."""
        return self.index == 0

    def gather(self, value: Any) -> list:
        """Return [value of process 0, of process 1, …] in every process; wait for all of them."""
        if self.count == 1:
            return [value]
        from datamap.paddle_backend.framework import paddle

        values: list = []
        paddle.distributed.all_gather_object(values, value)
        return values

    def sum(self, array: np.ndarray) -> np.ndarray:
        """Sum an array over the processes, in every process."""
        return np.sum(self.gather(array), axis=0) if self.count > 1 else array

    def rows(self, samples: int, index: int | None = None) -> range:
        """Return the range of rows, of `samples`, that a process (this one by default) observes."""
        index = self.index if index is None else index
        return range(samples * index // self.count, samples * (index + 1) // self.count)
