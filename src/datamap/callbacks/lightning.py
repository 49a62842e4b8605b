"""Record trainings by Lightning's `Trainer(…, callbacks=[DataMapCallback()])`.

Import `lightning.pytorch` or `pytorch_lightning` first: the callback is a subclass of the one that is imported.
"""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from datamap.callbacks.host_copies import HostCopies
from datamap.callbacks.trainer_arguments import refuse_split_models, task_of_outputs
from datamap.errors import ConfigError, SignalError, first_few
from datamap.processes import joined_processes
from datamap.recording.recorder import SignalRecorder
from datamap.schema import Task
from datamap.signals.arrays import as_array

if TYPE_CHECKING or "pytorch_lightning" not in sys.modules or "lightning.pytorch" in sys.modules:
    try:
        from lightning.pytorch import Callback
    except ImportError:
        from pytorch_lightning import Callback
else:  # the user has imported pytorch_lightning
    from pytorch_lightning import Callback


class DataMapCallback(Callback):
    """Record what `training_step` returns, batch by batch, without another forward pass.

    The step returns a dict with the loss and, under the names below, the samples' ids, labels, and logits or
    probabilities. The shapes in the first batch tell if a sample has a label, tags of tokens, or several labels. A
    training that raises ends the run as FAILED.

    Args:
        ids: key of the samples' ids.
        labels: key of the labels: class indices, tags of tokens, or several labels as 0 and 1.
        logits: key of the logits, used if the step returns them.
        probs: key of the probabilities, used otherwise.
        **recorder: arguments of `datamap.SignalRecorder`, such as class_names, samples and task.
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
        self._copies = HostCopies()
        self.recorder: SignalRecorder | None = None

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Make a recorder, and with it a run; where no task is given, the first batch tells it and makes the recorder.

        Raises:
            ConfigError: several devices train together, but not as processes that have joined.
        """
        processes = joined_processes()
        refuse_split_models(trainer, processes)
        self._together = processes.count > 1
        self.recorder = SignalRecorder(**self._options) if "task" in self._options else None

    def _begun(self, given: Mapping[str, Any]) -> SignalRecorder:
        """Return the recorder, and make it if this is the first batch."""
        if self.recorder is None:
            self.recorder = SignalRecorder(**self._options, task=_task_of(given).value)
        return self.recorder

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
        self._begun(given)
        if not {"ids", "labels"} <= set(given) or ("logits" in given) == ("probs" in given):
            n = self._names
            raise SignalError(
                f"training_step returned {first_few(found, 10) or type(outputs).__name__}; let it return "
                f"{{'loss': …, {n['ids']!r}: …, {n['labels']!r}: …, {n['logits']!r}: …}} (or {n['probs']!r})"
            )
        for arrived in self._copies.start(given):
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
        for arrived in self._copies.finish():
            self._record(arrived)
        self._begun({}).commit(trainer.current_epoch + 1)

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Wait until all is logged, and end the run."""
        self._begun({}).close()

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """End the run as FAILED, or as KILLED when it was interrupted."""
        if self.recorder:
            self.recorder.__exit__(type(exception), exception, None)


def _task_of(given: Mapping[str, Any]) -> Task:
    """Return the task that a batch's shapes tell.

    Raises:
        ConfigError: labels of 0 and 1 may be several labels, or one label as a vector.
    """
    labels = given.get("labels")
    found = task_of_outputs(labels, given.get("logits", given.get("probs")))
    if found is not Task.MULTILABEL or "float" not in str(getattr(labels, "dtype", "")):
        return found
    if (as_array(labels, "labels").sum(axis=1) == 1).all():
        raise ConfigError(
            "each sample of the first batch has one label of several: give DataMapCallback(task='multilabel'), or "
            "return class indices: labels.argmax(1)"
        )
    return found
