"""Define what the pass over the training samples needs of a framework, and put models into evaluation mode."""

import abc
import contextlib
import random
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from datamap.callbacks.observed_rows import Rows


class Framework(abc.ABC):
    """Say what differs between PyTorch and Paddle: batches, hooks, and computing without gradients."""

    @abc.abstractmethod
    def inference(self) -> contextlib.AbstractContextManager:
        """Return a context without gradients that restores the framework's random state in the end."""

    @abc.abstractmethod
    def modules(self, model: Any) -> Iterable[Any]:
        """Return the model and all its parts, the model first."""

    @abc.abstractmethod
    def after(self, module: Any, function: Callable[[Any], Any]) -> Any:
        """Call a function with each output of a module, until `remove()` of the result is called."""

    @abc.abstractmethod
    def batch_size(self, args: Any) -> int:
        """Return the number of samples in a batch of the evaluation pass."""

    @abc.abstractmethod
    def batches(self, rows: Rows, part: range, loader: Any, args: Any) -> Iterator[Any]:
        """Yield batches of a part of the rows, in their order, as the loader's collator makes them."""

    def on_host(self, results: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
        """Yield results of forward passes on the host, while the device computes the next ones."""
        yield from results

    @contextlib.contextmanager
    def observing(self, model: Any) -> Iterator[None]:
        """Put the model into evaluation mode for a block, then restore the modes of its parts and all random states."""
        python, numpy = random.getstate(), np.random.get_state()
        try:
            with self.inference(), evaluation_mode(self.modules(model)):
                yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)


@contextlib.contextmanager
def evaluation_mode(modules: Iterable[Any]) -> Iterator[None]:
    """Put a model into evaluation mode for a block, and each of its parts back into its own mode afterwards.

    Args:
        modules: the model and all its parts, the model first.
    """
    modules = list(modules)
    modes = [module.training for module in modules]
    modules[0].eval()
    try:
        yield
    finally:
        for module, mode in zip(modules, modes, strict=True):
            module.training = mode


def unwrapped(model: Any) -> Any:
    """Return the model in PyTorch's `FullyShardedDataParallel`, whose class and signature tell nothing; else itself."""
    return model.module if type(model).__name__ == "FullyShardedDataParallel" else model
