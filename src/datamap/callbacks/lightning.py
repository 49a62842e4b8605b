"""Record trainings by Lightning's `Trainer(…, callbacks=[DataMapCallback()])`.

Import `lightning.pytorch` or `pytorch_lightning` first: the callback is a subclass of the one that is imported.
"""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from datamap.callbacks.arrivals import Arrivals
from datamap.callbacks.trainer import refuse_split_models
from datamap.errors import ConfigError, SignalError, first_few
from datamap.processes import training_together
from datamap.recording.recorder import SignalRecorder

if TYPE_CHECKING or "pytorch_lightning" not in sys.modules or "lightning.pytorch" in sys.modules:
    try:
        from lightning.pytorch import Callback
    except ImportError:
        from pytorch_lightning import Callback  # type: ignore[assignment]
else:  # the user has imported pytorch_lightning
    from pytorch_lightning import Callback


class DataMapCallback(Callback):
    """Record what `training_step` returns, batch by batch, without another forward pass.

    The step returns a dict with the loss and, under the names below, the samples' ids, labels, and logits or
    probabilities. A training that raises ends the run as FAILED.

    Args:
        ids: key of the samples' ids.
        labels: key of the labels, class indices.
        logits: key of the logits, used if the step returns them.
        probs: key of the probabilities, used otherwise.
        **recorder: arguments of `datamap.SignalRecorder`, such as class_names and samples.
    """

    def __init__(
        self,
        ids: str = "ids",
        labels: str = "labels",
        logits: str = "logits",
        probs: str = "probs",
        **recorder: Any,
    ) -> None:
        self._names = {"ids": ids, "labels": labels, "logits": logits, "probs": probs}
        if "every" in recorder:
            raise ConfigError(
                "every=: Lightning's callback records what the training step returns, so an observation is an epoch; "
                "leave every= out"
            )
        self._options = recorder
        self._arrivals = Arrivals()
        self.recorder: SignalRecorder | None = None

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Make a recorder, and with it a run.

        Raises:
            ConfigError: several devices train together, but not as processes that have joined.
        """
        processes = training_together()
        refuse_split_models(trainer, processes)
        self._together = processes.count > 1
        self.recorder = SignalRecorder(**self._options)

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Record a batch.

        Raises:
            SignalError: the step did not return ids, labels, and logits or probabilities.
        """
        if not outputs:  # the step returned None: it skipped this batch
            return
        found = outputs if isinstance(outputs, Mapping) else {}
        given = {key: found[name] for key, name in self._names.items() if name in found}
        if not {"ids", "labels"} <= set(given) or ("logits" in given) == ("probs" in given):
            n = self._names
            raise SignalError(
                f"training_step returned {first_few(found, 10) or type(outputs).__name__}; let it return "
                f"{{'loss': …, {n['ids']!r}: …, {n['labels']!r}: …, {n['logits']!r}: …}} (or {n['probs']!r})"
            )
        for arrived in self._arrivals.put(given):
            self._record(arrived)

    def _record(self, given):
        assert self.recorder
        try:
            self.recorder.record(**given)
        except SignalError as error:
            if not self._together:
                raise
            self.recorder.fail(error)  # the other processes must not wait for this one

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Commit the epoch."""
        for arrived in self._arrivals.rest():
            self._record(arrived)
        assert self.recorder
        self.recorder.commit(trainer.current_epoch + 1)

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Wait until all is logged, and end the run."""
        assert self.recorder
        self.recorder.close()

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """End the run as FAILED, or as KILLED when it was interrupted."""
        if self.recorder:
            self.recorder.__exit__(type(exception), exception, None)
