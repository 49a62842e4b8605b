"""Define what training takes from the config, and what each observation returns."""

from collections.abc import Callable
from typing import NamedTuple

import pyarrow as pa

from datamap.paddle_backend.checkpoints import Checkpoint


class FitOptions(NamedTuple):
    """Hold the keys of `trainer` and `signals` that training needs."""

    seed: int
    epochs: int
    batch_size: int
    eval_batch_size: int
    max_length: int
    lr: float
    warmup: float
    weight_decay: float
    every_steps: int | None  # None = at each epoch's end
    collect: str = "eval"  # or "train": from the forward passes of the training steps

    def observation_at(self, step: int, steps_per_epoch: int) -> int | None:
        """Return the number of the observation that follows this step, or None."""
        last = step == steps_per_epoch * self.epochs
        if self.every_steps:
            return step if last or step % self.every_steps == 0 else None
        return step // steps_per_epoch if step % steps_per_epoch == 0 else None


class ObservationResult(NamedTuple):
    """Hold an observation: its number, the signals of this process's samples, and metrics.

    `checkpoint()` copies the state of training at the time of the call.
    """

    number: int
    signals: pa.Table
    metrics: dict[str, float]
    checkpoint: Callable[[], Checkpoint]
