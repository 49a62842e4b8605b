"""Record the training samples of a Trainer of Paddle: of PaddleNLP or PaddleFormers."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import paddle
from paddle.io import DataLoader

from datamap.callbacks.observed_rows import Rows, batches_of
from datamap.callbacks.trainer import TrainerRecording


class PaddleRecording(TrainerRecording):
    """Record the training samples after each epoch, or every so many steps, in evaluation mode."""

    @contextlib.contextmanager
    def inference(self) -> Iterator[None]:
        """Compute no gradients, and leave random numbers as they were."""
        state = paddle.get_rng_state()
        try:
            with paddle.no_grad():
                yield
        finally:
            paddle.set_rng_state(state)

    def modules(self, model: paddle.nn.Layer) -> list[paddle.nn.Layer]:
        """Return the model and all its layers, the model first."""
        return model.sublayers(include_self=True)

    def after(self, module: paddle.nn.Layer, function: Callable[[Any], Any]) -> Any:
        """Call a function with each output of a layer, until `remove()` of the result is called."""
        return module.register_forward_post_hook(lambda layer, given, output: function(output))

    def batch_size(self, args: Any) -> int:
        """Return the batch size that the Trainer uses for evaluation."""
        return args.per_device_eval_batch_size

    def batches(self, rows: Rows, part: range, loader: DataLoader, args: Any) -> Iterator[Any]:
        """Yield batches of a part of the rows, in their order."""
        # Paddle's DataLoader reads ahead in a thread, which would keep drawing random numbers afterwards.
        collate: Any = loader.collate_fn
        for some in batches_of(rows, part, self.batch_size(args)):
            batch = collate(some)
            known = isinstance(batch, Mapping)
            yield {name: _tensor(value) for name, value in batch.items()} if known else batch


def _tensor(value):
    return paddle.to_tensor(value) if isinstance(value, np.ndarray) else value
