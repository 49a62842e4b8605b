"""What Hugging Face's Trainer and PaddleNLP's have in common: an evaluation pass over what they train on."""

import abc
import contextlib
import inspect
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any

from datamap.errors import ConfigError, SignalError, first_few
from datamap.recording.recorder import SignalRecorder


class EpochRecording(abc.ABC):
    """Half of a `TrainerCallback`: after each epoch it records all training samples, in evaluation mode.

    A subclass knows its framework. As a context it ends the run as FAILED at once when what is inside raises.
    """

    def __init__(self, ids: Sequence | None = None, **recorder: Any) -> None:
        """`ids`: of the training samples, in the dataset's order; by default its column `id`, else row numbers.

        All else goes to `datamap.SignalRecorder`: class_names, samples, run_id, …
        """
        self._ids, self._options = ids, recorder
        self.recorder: SignalRecorder | None = None

    @abc.abstractmethod
    def no_grad(self) -> contextlib.AbstractContextManager:
        """A context in which the framework computes no gradients."""

    @abc.abstractmethod
    def modules(self, model: Any) -> Iterable[Any]:
        """The model and all its parts, the model first."""

    @abc.abstractmethod
    def batches(self, loader: Any, args: Any) -> Iterable[Any]:
        """Batches of a training loader's dataset in its order, ready for the model."""

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Begin a run.

        Raises:
            ConfigError: several processes train together.
        """
        refuse_many_processes(args.world_size)
        self.__exit__(RuntimeError, None, None)  # of an earlier training, which never came to its end
        self.recorder = SignalRecorder(**self._options)

    def on_epoch_end(
        self,
        args: Any,
        state: Any,
        control: Any,
        model: Any = None,
        train_dataloader: Any = None,
        **kwargs: Any,
    ) -> None:
        """Record all training samples, and commit the epoch.

        Raises:
            ConfigError, SignalError: the dataset, a batch or an output cannot be recorded.
        """
        assert self.recorder
        ids, start = sample_ids(train_dataloader.dataset, self._ids), 0
        with self.no_grad(), evaluation_mode(self.modules(model)):
            for batch in self.batches(train_dataloader, args):
                labels, logits = labels_and_logits(model, batch)
                self.recorder.record(ids[start : start + len(labels)], labels, logits=logits)
                start += len(labels)
        self.recorder.commit(math.ceil(round(state.epoch, 6)))

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Wait until all is logged, and end the run.

        Raises:
            TrackingError: the store did not take all.
        """
        assert self.recorder
        self.recorder.close()

    def __enter__(self) -> "EpochRecording":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.recorder:
            self.recorder.__exit__(kind, error, trace)


def refuse_many_processes(count: int) -> None:
    """Raise ConfigError where several processes train together: each has only its part of the samples."""
    if count > 1:
        raise ConfigError(
            f"DataMapCallback records in one process, but {count} train together: use one, or call "
            "datamap.SignalRecorder in your own loop with what you gathered"
        )


def sample_ids(dataset: Any, given: Sequence | None = None) -> Sequence:
    """The ids of a dataset's samples, in its order: those given, else its column or key `id`, else row numbers.

    Raises:
        ConfigError: the dataset has no length, or not as many samples as there are ids.
    """
    if not hasattr(dataset, "__len__"):
        raise ConfigError(
            f"{type(dataset).__name__} has no length: DataMapCallback needs a dataset with rows, no stream"
        )
    if given is None:
        given = _own_ids(dataset)
    if len(given) != len(dataset):
        raise ConfigError(f"ids= has {len(given)} ids, but the training dataset {len(dataset)} samples")
    return given


def _own_ids(dataset):
    names = getattr(dataset, "column_names", None)
    if names is not None:
        return list(dataset["id"]) if "id" in names else range(len(dataset))
    if len(dataset) and isinstance(dataset[0], Mapping) and "id" in dataset[0]:
        return [dataset[row]["id"] for row in range(len(dataset))]
    return range(len(dataset))


@contextlib.contextmanager
def evaluation_mode(modules: Iterable[Any]) -> Iterator[None]:
    """Put a model (the first of `modules`, which are all its parts) into evaluation mode, and each part back."""
    modules = list(modules)
    modes = [module.training for module in modules]
    modules[0].eval()
    try:
        yield
    finally:
        for module, mode in zip(modules, modes, strict=True):
            module.training = mode


def labels_and_logits(model: Any, batch: Any) -> tuple[Any, Any]:
    """(labels, logits) of a batch, as tensors; the model gets the labels only where it cannot do without.

    Raises:
        SignalError: the batch has no labels, or the model's output no logits.
    """
    if not isinstance(batch, Mapping) or "labels" not in batch:
        keys = first_few(batch, 10) if isinstance(batch, Mapping) else type(batch).__name__
        raise SignalError(f"a batch of the training dataset has no 'labels' (it has: {keys})")
    inputs = {name: value for name, value in batch.items() if name != "labels"}
    parameter = inspect.signature(model.forward).parameters.get("labels")
    needed = parameter is not None and parameter.default is parameter.empty
    output = model(**(batch if needed else inputs))
    if isinstance(output, Mapping):
        if "logits" not in output:
            raise SignalError(f"the model's output has no 'logits' (it has: {first_few(output, 10)})")
        output = output["logits"]
    elif isinstance(output, tuple | list):
        output = output[1 if needed else 0]  # (loss, logits, …), or (logits, …)
    return batch["labels"], output
