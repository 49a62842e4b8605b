"""The processes of one training: alone, or under `python -m paddle.distributed.launch`."""

import os

import numpy as np


class Ranks:
    """This process among those that train together.

    `rank` is 0 in the one that owns the MLflow run, `count` is 1 when it is alone.
    """

    def __init__(self, device=None):
        self.rank = int(os.environ.get("PADDLE_TRAINER_ID", 0))
        self.count = int(os.environ.get("PADDLE_TRAINERS_NUM", 1))
        if self.count > 1:
            import paddle.distributed

            if device:
                paddle.set_device(device)
            paddle.distributed.init_parallel_env()

    @property
    def first(self):
        """Whether this process owns the run."""
        return self.rank == 0

    def gather(self, value):
        """[value of rank 0, of rank 1, …] in every process; waits for all of them."""
        if self.count == 1:
            return [value]
        import paddle.distributed

        values = []
        paddle.distributed.all_gather_object(values, value)
        return values

    def sum(self, array):
        """Sum of an array over the processes, in every process."""
        return np.sum(self.gather(array), axis=0) if self.count > 1 else array

    def rows(self, samples, rank=None):
        """The range of `samples` rows that a process (this one by default) observes, in order."""
        rank = self.rank if rank is None else rank
        return range(samples * rank // self.count, samples * (rank + 1) // self.count)
