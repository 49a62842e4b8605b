"""Join the processes of one training: this one alone, or those of `python -m paddle.distributed.launch`."""

import os
from typing import Any

from datamap import processes


class Processes(processes.Processes):
    """Represent this process among those that train together, and join the others.

    Args:
        device: the device that this process trains on.
    """

    def __init__(self, device: str | None = None) -> None:
        super().__init__(
            int(os.environ.get("PADDLE_TRAINER_ID", 0)), int(os.environ.get("PADDLE_TRAINERS_NUM", 1))
        )
        if self.count > 1:
            from datamap.paddle_backend.framework import paddle

            if device:
                paddle.set_device(device)
            paddle.distributed.init_parallel_env()

    def gather(self, value: Any) -> list:
        """Return [value of process 0, of process 1, …] in every process; wait for all of them."""
        if self.count == 1:
            return [value]
        from datamap.paddle_backend.framework import paddle

        values: list = []
        paddle.distributed.all_gather_object(values, value)
        return values
