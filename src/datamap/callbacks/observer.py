"""Define how the samples of a task are observed in one process, as many forward passes as in every other one."""

import abc
import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from datamap.callbacks.framework import Framework
from datamap.callbacks.observed_rows import Rows
from datamap.errors import ConfigError
from datamap.processes import Processes
from datamap.recording.metadata import Metadata
from datamap.recording.recorder import SignalRecorder
from datamap.signals.compute import id_array


class SampleObserver(abc.ABC):
    """Observe the samples of one task in this process.

    Args:
        framework: what differs between PyTorch and Paddle.
        processes: the processes that divide the rows.
        rows: the rows that all processes observe together.
        loader: the training's loader, whose collator makes the batches.
        args: the Trainer's arguments.
        metadata: class names and texts.
        tokenizer: the Trainer's tokenizer, if it has one.
    """

    def __init__(
        self,
        framework: Framework,
        processes: Processes,
        rows: Rows,
        loader: Any,
        args: Any,
        metadata: Metadata,
        tokenizer: Any = None,
    ) -> None:
        if not len(rows):
            raise ConfigError("the training dataset has no rows: nothing can be recorded")
        self.by_row = True  # ids are those of the rows
        self.framework, self.processes = framework, processes
        self.rows, self.loader, self.args = rows, loader, args
        self.metadata, self.tokenizer = metadata, tokenizer or getattr(loader.collate_fn, "tokenizer", None)
        self.size = framework.batch_size(args)
        self.part = rows.share(processes, self.size)
        self.observed = len(rows), rows.total  # samples that are observed, of how many
        # Forward passes of this observation, and of the process that needs the most.
        self.made = self.most = 0

    def refuse_strangers(self, ids: list) -> None:
        """Raise SignalError if `samples=` lacks an id."""
        if ids:
            self.metadata.rows("the training dataset", id_array(ids, "ids"), np.zeros(len(ids), np.int64))

    def begin(self, model: Any, resumed: bool) -> None:  # noqa: B027  a task need not learn anything
        """Learn what can only be known before the first step of training, in every process."""

    def compare_passes(self) -> None:
        """Learn how many forward passes the process makes that needs the most; all processes call this together.

        Raises:
            ConfigError: no process has a sample.
        """
        self.most = max(self.processes.gather(self.passes))
        if not self.most:
            raise ConfigError(
                "the collator leaves out all rows of the training dataset, or none has a target: nothing can be "
                "recorded"
            )

    @contextlib.contextmanager
    def passing(self, model: Any) -> Iterator[None]:
        """Observe in a block, and make as many forward passes as every other process, even if the block raises.

        Under FSDP and ZeRO-3 a forward pass waits for that of every other process.
        """
        self.made = 0
        with self.framework.observing(model):
            try:
                yield
            finally:
                while self.processes.count > 1 and self.made < self.most:
                    self.idle(model)

    @property
    @abc.abstractmethod
    def passes(self) -> int:
        """Return the number of forward passes that this process needs, after `check_rows`."""

    @abc.abstractmethod
    def check_rows(self) -> None:
        """Check before training that ids, texts and labels fit together, without the model."""

    @abc.abstractmethod
    def check_model(self, model: Any) -> None:
        """Check before training that the model's outputs can be recorded: the same forward passes in every process."""

    @abc.abstractmethod
    def outputs(self, model: Any) -> Iterator[tuple[Any, ...]]:
        """Yield what `record` takes for each batch of this process, on the device, one forward pass each."""

    @abc.abstractmethod
    def idle(self, model: Any) -> None:
        """Make a forward pass whose result nobody needs."""

    @abc.abstractmethod
    def record(self, recorder: SignalRecorder, *outputs: Any) -> None:
        """Record a batch."""

    def encoder(self, model: Any) -> Any | None:
        """Return the part of the model whose outputs are embeddings of samples; None if it has none."""
        return None

    def embeddings(self, model: Any) -> tuple[list, list[np.ndarray]] | None:
        """Return (ids, one or two arrays of embeddings) of this process's samples; None if there are none."""
        return None
