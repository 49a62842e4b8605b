"""Record the training samples of a Trainer by an evaluation pass, for Hugging Face and PaddleNLP alike."""

import abc
import contextlib
import inspect
import math
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa

from datamap.callbacks.encoder import encoder_of, mean_outputs
from datamap.callbacks.rows import collated_rows, labels_of
from datamap.errors import ConfigError, SignalError, first_few
from datamap.log import say
from datamap.recording.metadata import Metadata
from datamap.recording.recorder import SignalRecorder
from datamap.signals import embeddings
from datamap.signals.compute import id_array, signal_table


class EpochRecording(abc.ABC):
    """Record all training samples after each epoch, in evaluation mode, as a mixin of a `TrainerCallback`.

    A subclass adds what differs between frameworks. As a context it ends the run as FAILED as soon as its block raises.

    Args:
        ids: ids of the training samples, in the dataset's order; None = its column `id`, else row numbers.
        **recorder: arguments of `datamap.SignalRecorder`, such as class_names, samples and run_id. Without `embeddings`
            those of the model's encoder before the first step are recorded, by one more evaluation pass; False leaves
            them out.
    """

    def __init__(self, ids: Sequence | None = None, **recorder: Any) -> None:
        self._ids, self._options = ids, recorder
        self._batch_ids: list[list] = []
        self.recorder: SignalRecorder | None = None

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
    def batches(self, loader: Any, args: Any) -> Iterable[Any]:
        """Return batches of a training loader's dataset, in the dataset's order and on the model's device."""

    def on_train_begin(
        self,
        args: Any,
        state: Any,
        control: Any,
        model: Any = None,
        train_dataloader: Any = None,
        **kwargs: Any,
    ) -> None:
        """Begin a run, after a check that ids, collator, labels, `samples=` and the model's outputs fit together.

        Raises:
            ConfigError: ids or the collator cannot be used, or several processes train together.
            DataError: `samples=` has a column, id, text or label that cannot be used.
            SignalError: a batch has no labels, the model returns no valid logits, or `samples=` differs from them.
        """
        refuse_many_processes(args.world_size)
        self.__exit__(RuntimeError, RuntimeError("the training before did not come to its end"), None)
        metadata = Metadata.of(self._options.get("class_names"), self._options.get("samples"))
        self._options |= metadata._asdict()  # the checked values, as an iterator can be read only once
        options = dict(self._options)
        with self._observing(model):
            ids = sample_ids(train_dataloader.dataset, self._ids)
            self._check_first_batch(model, train_dataloader, args, metadata)
            self._follow_rows(ids, train_dataloader, args, metadata)
            if options.get("embeddings") is None and not state.global_step:  # the model has seen no label yet
                options["embeddings"] = self._embeddings(model, train_dataloader, args)
        if options.get("embeddings") is False:
            del options["embeddings"]
        self.recorder = SignalRecorder(**options)

    def _check_first_batch(self, model, loader, args, metadata):
        where = "the first batch of the training dataset"
        first = next(filter(None, self._outputs(model, loader, args)), None)
        if first is None:
            raise ConfigError(
                "the collator leaves out all rows of the training dataset: nothing can be recorded"
            )
        labels, logits = first
        metadata.check_classes(where, signal_table(range(len(labels)), labels, logits=logits, where=where))

    def _follow_rows(self, ids, loader, args, metadata):
        batches = collated_rows(loader.dataset, loader.collate_fn, self.batch_size(args), label_name(args))
        rows, labels = zip(*batches, strict=True)
        self._batch_ids = [ids.take(pa.array(batch)).to_pylist() for batch in rows]
        kept = ids.take(pa.array(np.concatenate(rows)))
        metadata.rows("the training dataset", kept, np.concatenate(labels))

    def _embeddings(self, model, loader, args):
        """Return the mean outputs of the model's encoder for each sample, by one more pass; None if it has none."""
        encoder, name = encoder_of(model), label_name(args)
        if encoder is None:
            return None
        outputs: list = []
        pad = getattr(getattr(model, "config", None), "pad_token_id", None)
        hook, found = self.after(encoder, outputs.append), []
        ids = [value for batch in self._batch_ids for value in batch]
        try:
            for batch in filter(lambda batch: len(labels_of(batch, name)), self.batches(loader, args)):
                outputs.clear()
                labels_and_logits(model, batch, name)
                found.append(mean_outputs(outputs[-1], batch, pad) if outputs else None)
                if found[-1] is None or len(found[-1]) != len(found[0]):
                    return None
                embeddings.refuse_large(len(ids), sum(part.shape[1] for part in found[-1]))
            parts = [np.concatenate(part) for part in zip(*found, strict=True)]
            return embeddings.checked(ids, parts if len(parts) == 2 else parts[0], "the encoder")
        except SignalError as error:  # too large, or beyond half precision: training need not end for that
            say("note: no embeddings are logged: {error}", error=error)
            return None
        finally:
            hook.remove()

    def _outputs(self, model: Any, loader: Any, args: Any) -> Iterator[tuple[Any, Any] | None]:
        """Yield (labels, logits) of each batch, or None for a batch that the collator left empty."""
        name = label_name(args)
        for batch in self.batches(loader, args):
            yield labels_and_logits(model, batch, name) if len(labels_of(batch, name)) else None

    @contextlib.contextmanager
    def _observing(self, model: Any) -> Iterator[None]:
        """Put the model into evaluation mode for a block, then restore the modes of its parts and all random states."""
        python, numpy = random.getstate(), np.random.get_state()
        try:
            with self.inference(), evaluation_mode(self.modules(model)):
                yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)

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
            ConfigError: the dataset or the collator changed during training.
            SignalError: a batch or an output cannot be recorded.
        """
        assert self.recorder
        with self._observing(model):
            outputs = self._outputs(model, train_dataloader, args)
            for ids, (labels, logits) in zip(
                self._batch_ids, (found or ((), ()) for found in outputs), strict=True
            ):
                if len(labels) != len(ids):
                    raise SignalError(
                        f"the collator made a batch of {len(labels)} rows, which had {len(ids)} before training; let "
                        "it leave out the same rows each time"
                    )
                self.recorder.record(ids, labels, logits=logits)
        self.recorder.commit(math.ceil(round(state.epoch, 6)))

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Wait until all is logged, and end the run.

        Raises:
            TrackingError: the store did not accept all; the rest waits in the spool.
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
    """Raise ConfigError if several processes train together, because each has only its part of the samples."""
    if count > 1:
        raise ConfigError(
            f"DataMapCallback records in one process, but {count} train together: use one, or call "
            "datamap.SignalRecorder in your own loop with what you gathered"
        )


def label_name(args: Any) -> str:
    """Return the key of the labels in a batch, as the Trainer's arguments name it.

    Raises:
        ConfigError: the arguments name several keys.
    """
    names = args.label_names or ["labels"]
    if len(names) != 1:
        raise ConfigError(f"label_names={names}: a sample has one label here; multi-label is not supported")
    return names[0]


def sample_ids(dataset: Any, given: Iterable | None = None) -> pa.Array:
    """Return the ids of a dataset's samples, in its order: those given, else its column or key `id`, else row numbers.

    Raises:
        ConfigError: the dataset has no length, the number of ids is not that of its samples, or an id occurs twice.
        SignalError: an id is neither a whole number nor a text.
    """
    if not hasattr(dataset, "__len__"):
        raise ConfigError(
            f"{type(dataset).__name__} has no length: DataMapCallback needs a dataset with rows, no stream"
        )
    ids = id_array(_own_ids(dataset) if given is None else given, "the training dataset")
    if len(ids) != len(dataset):
        raise ConfigError(f"ids= has {len(ids)} ids, but the training dataset {len(dataset)} samples")
    twice = [value for value, count in Counter(ids.to_pylist()).items() if count > 1]
    if twice:
        raise ConfigError(f"ids of the training dataset occur twice: {first_few(twice)}")
    return ids


def _own_ids(dataset):
    names = getattr(dataset, "column_names", None)
    if names is not None:
        return list(dataset["id"]) if "id" in names else range(len(dataset))
    if len(dataset) and isinstance(dataset[0], Mapping) and "id" in dataset[0]:
        return [dataset[row]["id"] for row in range(len(dataset))]
    return range(len(dataset))


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


def labels_and_logits(model: Any, batch: Mapping[str, Any], name: str = "labels") -> tuple[Any, Any]:
    """Return (labels, logits) of a batch, as tensors; pass the labels to the model only if it needs them.

    Raises:
        SignalError: the batch has no labels, or the model's output no logits.
    """
    labels = labels_of(batch, name)
    inputs = {key: value for key, value in batch.items() if key != name}
    parameter = inspect.signature(model.forward).parameters.get(name)
    needed = parameter is not None and parameter.default is parameter.empty
    output = model(**(batch if needed else inputs))
    if isinstance(output, Mapping):
        if "logits" not in output:
            raise SignalError(f"the model's output has no 'logits' (it has: {first_few(output, 10)})")
        output = output["logits"]
    elif isinstance(output, tuple | list):
        output = output[1 if needed else 0]  # a tuple is (loss, logits, …) or (logits, …)
    return labels, output
