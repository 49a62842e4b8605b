"""What training needs of the config, and what it hands on."""

from collections.abc import Callable
from typing import NamedTuple

import pyarrow as pa

from datamap.paddle_backend.checkpoints import Checkpoint


class FitOptions(NamedTuple):
    """`trainer` and `signals` of the config, as training needs them."""

    seed: int
    epochs: int
    batch_size: int
    eval_batch_size: int
    max_length: int
    lr: float
    warmup: float
    weight_decay: float
    every_steps: int | None  # None = at each epoch's end
    collect: str = "eval"  # or "train": from the training step's own forward pass

    def observation_at(self, step: int, steps_per_epoch: int) -> int | None:
        """Number of the observation due after this step, or None."""
        last = step == steps_per_epoch * self.epochs
        if self.every_steps:
            return step if last or step % self.every_steps == 0 else None
        return step // steps_per_epoch if step % steps_per_epoch == 0 else None


class Observed(NamedTuple):
    """An observation: its number, the signals of this process's samples, and metrics of that moment.

    `checkpoint()` copies the state of training as it is when it is called.
    """

    number: int
    signals: pa.Table
    metrics: dict[str, float]
    checkpoint: Callable[[], Checkpoint]
