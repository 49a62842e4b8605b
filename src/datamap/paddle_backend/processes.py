"""Join the processes of one training: this one alone, or those of `python -m paddle.distributed.launch`."""

import os

from datamap.processes import Processes, by_paddle


def join_processes(device: str | None = None) -> Processes:
    """Return the processes that train together, after they have found each other.

    Args:
        device: the device that this process trains on.

    Raises:
        TrainingError: Paddle has no such device on this machine.
    """
    if int(os.environ.get("PADDLE_TRAINERS_NUM", 1)) > 1:
        from datamap.paddle_backend.framework import paddle, set_device

        if device:
            set_device(device)
        paddle.distributed.init_parallel_env()
    return by_paddle() or Processes()
