"""Record the training samples of a Trainer by an evaluation pass, for Hugging Face and PaddleNLP alike."""

import abc
import contextlib
import inspect
import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa

from datamap.callbacks.encoder import encoder_of, mean_outputs
from datamap.callbacks.observed_rows import Rows
from datamap.callbacks.rows import collated_rows, has_several_labels, labels_of
from datamap.errors import ConfigError, DataMapError, SignalError, first_few, reason, shortened
from datamap.log import say
from datamap.processes import Processes, training_together
from datamap.recording.arguments import choice
from datamap.recording.metadata import Metadata
from datamap.recording.recorder import SignalRecorder
from datamap.schema import Task
from datamap.signals import embeddings
from datamap.signals.compute import classes_of, id_array, refuse, signal_table
from datamap.tasks.definitions import DEFINITIONS

MAX_TAGS = 1_000  # of a model that is taken for one of tokens by the shape of its outputs alone
SUBSET_TAG = "datamap.observed_samples"  # how many samples of a larger training set are observed


class TrainerRecording(abc.ABC):
    """Record the training samples of a Trainer, in evaluation mode, as a mixin of a `TrainerCallback`.

    A subclass adds what differs between frameworks. As a context it ends the run as FAILED as soon as its block raises.

    Args:
        ids: ids of the training samples, in the dataset's order; None = its column `id`, else row numbers.
        every: observe after every so many optimizer steps and after the last one; None = after each epoch.
        samples: number of samples to observe, drawn once by `seed` (of a stream the first ones), or a table of texts
            for `datamap.SignalRecorder`; None = observe all samples.
        texts: the table of texts, where `samples` is a number.
        seed: seed of the draw.
        task: "classification", "tokens", "multilabel", "generation" or "scores"; None = by the model and the Trainer's
            arguments.
        **recorder: arguments of `datamap.SignalRecorder`, such as class_names and run_id. Without `embeddings` those of
            a classifier's encoder before the first step are recorded, by one more evaluation pass; False omits them.
    """

    def __init__(
        self,
        ids: Sequence | None = None,
        *,
        every: int | None = None,
        samples: Any = None,
        texts: Any = None,
        seed: int = 0,
        task: str | None = None,
        **recorder: Any,
    ) -> None:
        count = None if samples is None or not isinstance(samples, int | np.integer) else int(samples)
        for name, value in (("every", every), ("samples", count)):
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise ConfigError(f"{name}={shortened(value)}: give a whole number from 1")
        self._ids, self._every, self._count, self._seed, self._task = ids, every, count, seed, task
        table = texts if count is not None else samples
        self._options = {**recorder, "samples": table, "unit": "step" if every else "epoch"}
        self.recorder: SignalRecorder | None = None
        self._source: Source | None = None
        self.processes = Processes()

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

    def source(self, task: Task, **given: Any) -> "Source":
        """Return what observes the samples of a task."""
        if task is not Task.CLASSIFICATION:
            raise ConfigError(
                f"task={task.value!r} is not recorded by this framework's callback; use datamap.SignalRecorder"
            )
        return Classification(**given)

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
            ConfigError: ids or the collator cannot be used, or the processes do not train on parts of the data.
            DataError: `samples=` has a column, id, text or label that cannot be used.
            SignalError: a batch has no labels, the model returns no valid logits, or `samples=` differs from them.
        """
        self.__exit__(RuntimeError, RuntimeError("the training before did not come to its end"), None)
        self.processes = training_together()
        tokenizer = kwargs.get("processing_class") or kwargs.get("tokenizer")
        # What needs no forward pass comes first: under FSDP and ZeRO-3 no process can make one alone.
        self.processes.agree(lambda: self._prepare(args, model, train_dataloader, tokenizer))
        assert self._source
        self._passes = max(self.processes.gather(self._source.passes))
        self.processes.agree(lambda: self._try(model, state.global_step > 0))
        options = dict(self._options)
        if options.get("embeddings") is None and not state.global_step:  # the model has seen no label yet
            options["embeddings"] = self._embeddings(model)
        if options.get("embeddings") is False:
            del options["embeddings"]
        self.recorder = SignalRecorder(**options)
        self.recorder.in_turn = True
        self._say_what()

    def _prepare(self, args, model, loader, tokenizer):
        refuse_split_models(args, self.processes)
        with self._observing(model):
            rows = Rows(loader.dataset, self._ids, self._count, self._seed)
            task = self._found_task(args, model, loader, rows)
            names = self._options.get("class_names")
            names = names_of(model, task) if names is None else names
            metadata = Metadata.of(names, self._options.get("samples"), task)
            # The checked values, as an iterator can be read only once.
            self._options |= {**metadata._asdict(), "task": task.value}
            self._source = self.source(
                task,
                callback=self,
                rows=rows,
                loader=loader,
                args=args,
                metadata=metadata,
                tokenizer=tokenizer,
            )
            with _explained(task.value):
                self._source.check_rows()

    def _found_task(self, args, model, loader, rows):
        """Return the task that is given, else the one that the Trainer's arguments, the model and a batch tell."""
        if self._task is not None:
            return Task(choice("task", self._task, [*Task]))
        task, name = task_of(model, args), label_name(args)
        if task is not Task.CLASSIFICATION or not (len(rows) and has_several_labels(rows[0], name)):
            return task
        batch = next(iter(self.batches(rows, range(1), loader, args)))
        return task_of_outputs(*labels_and_logits(model, batch, name))

    def _embeddings(self, model):
        """Return the mean outputs of the model's encoder for each sample, by one more pass; None if it has none."""
        assert self._source
        try:
            with self.passing(model):
                mine = self._source.embeddings(model)
        except Exception as error:  # the other processes wait, and training need not end for that
            say("note: no embeddings are logged: {error}", error=error)
            mine = None
        found = self.processes.gather(mine)
        if any(part is None for part in found) or not self.processes.first:
            return None
        ids = [value for names, _ in found for value in names]
        vectors = [[part for _, parts in found for part in parts[place : place + 1]] for place in range(2)]
        first, second = (np.concatenate(parts) if parts else None for parts in vectors)
        if first is None or (second is not None and len(second) != len(first)):
            return None
        try:
            return embeddings.checked(ids, first if second is None else [first, second], "the encoder")
        except SignalError as error:  # too large, or beyond half precision: training need not end for that
            say("note: no embeddings are logged: {error}", error=error)
            return None

    def _try(self, model, resumed):
        assert self._source
        if not self._passes:
            raise ConfigError(
                "the collator leaves out all rows of the training dataset, or none has a target: nothing can be "
                "recorded"
            )
        with self._observing(model), _explained(self._options["task"]):
            self._source.check_model(model)
        self._source.begin(model, resumed)

    @contextlib.contextmanager
    def passing(self, model: Any) -> Iterator[None]:
        """Observe in a block, and make as many forward passes as every other process, even if the block raises."""
        assert self._source
        self._source.made = 0
        with self._observing(model):
            try:
                yield
            finally:
                while self._source.made < self._passes:
                    self._source.idle(model)

    def _say_what(self):
        assert self._source and self.recorder
        rows = self._source.rows
        if not self.processes.first:
            return
        if rows.numbered and self._source.by_row:
            say(
                "note: the training dataset has no column id, so ids are row numbers from 0; a Trainer removes the "
                "column unless remove_unused_columns=False: keep it, or pass ids="
            )
        if self._count is None:
            return
        count, total = self._source.observed
        if rows.stream:
            self.recorder.run.set_tags({SUBSET_TAG: f"the first {count} of a stream"})
            say("observing the first {count} samples of a stream", count=count)
            return
        self.recorder.run.set_tags({SUBSET_TAG: f"{count} of {total}, seed {self._seed}"})
        say(
            "observing {count} of {total} samples, drawn by seed {seed}",
            count=count,
            total=total,
            seed=self._seed,
        )

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

    def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        """Observe the samples and commit, if it is the turn of this step.

        Raises:
            ConfigError: the dataset or the collator changed during training.
            SignalError: a batch or an output cannot be recorded.
        """
        if self._every and (state.global_step % self._every == 0 or state.global_step == state.max_steps):
            self._observe(model, state.global_step)

    def on_epoch_end(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        """Observe the samples and commit the epoch, unless observations are numbered by steps.

        Raises:
            ConfigError: the dataset or the collator changed during training.
            SignalError: a batch or an output cannot be recorded.
        """
        if not self._every:
            self._observe(model, math.ceil(round(state.epoch, 6)))

    def _observe(self, model, number):
        recorder, source = self.recorder, self._source
        assert recorder and source
        if number <= recorder.resumed_at:  # a resumed training repeats the steps after its checkpoint
            return
        # All processes make the same number of forward passes, and all reach `commit`: none must wait for another.
        try:
            with self.passing(model):
                for outputs in self.on_host(source.outputs(model)):
                    source.record(recorder, *outputs)
        except Exception as error:
            recorder.fail(error)
        recorder.commit(number)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Wait until all is logged, and end the run.

        Raises:
            TrackingError: the store did not accept all; the rest waits in the spool.
        """
        assert self.recorder
        self.recorder.close()

    def __enter__(self) -> "TrainerRecording":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.recorder:
            self.recorder.__exit__(kind, error, trace)


class Source(abc.ABC):
    """Observe the samples of one task in this process.

    Args:
        callback: the callback, which knows the framework.
        rows: the rows that all processes observe together.
        loader: the training's loader, whose collator makes the batches.
        args: the Trainer's arguments.
        metadata: class names and texts.
        tokenizer: the Trainer's tokenizer, if it has one.
    """

    def __init__(
        self,
        callback: "TrainerRecording",
        rows: Rows,
        loader: Any,
        args: Any,
        metadata: Metadata,
        tokenizer: Any = None,
    ) -> None:
        if not len(rows):
            raise ConfigError("the training dataset has no rows: nothing can be recorded")
        self.by_row = True  # ids are those of the rows
        self.callback, self.rows, self.loader, self.args = callback, rows, loader, args
        self.metadata, self.tokenizer = metadata, tokenizer or getattr(loader.collate_fn, "tokenizer", None)
        self.size = callback.batch_size(args)
        self.part = rows.share(callback.processes, self.size)
        self.observed = len(rows), rows.total  # samples that are observed, of how many
        self.made = 0  # forward passes since the observation began

    def refuse_strangers(self, ids: list) -> None:
        """Raise SignalError if `samples=` lacks an id."""
        if ids:
            self.metadata.rows("the training dataset", id_array(ids, "ids"), np.zeros(len(ids), np.int64))

    def begin(self, model: Any, resumed: bool) -> None:  # noqa: B027  a task need not learn anything
        """Learn what can only be known before the first step of training, in every process."""

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

    def embeddings(self, model: Any) -> tuple[list, list[np.ndarray]] | None:
        """Return (ids, one or two arrays of embeddings) of this process's samples; None if the model has none."""
        return None


class Classification(Source):
    """Observe the label and the logits of each sample."""

    @property
    def passes(self) -> int:
        """Return the number of batches of this process."""
        return sum(1 for ids in self._ids if ids)

    def _batches(self) -> Iterator[Any]:
        return self.callback.batches(self.rows, self.part, self.loader, self.args)

    def check_rows(self) -> None:
        """Learn which ids and labels each batch has; the collator may leave rows out or reorder them."""
        found = list(
            collated_rows(self.rows, self.part, self.loader.collate_fn, self.size, label_name(self.args))
        )
        self._ids = [self.rows.ids.take(pa.array(rows)).to_pylist() for rows, _ in found]
        self._labels = [labels for _, labels in found]
        ids = [name for batch in self._ids for name in batch]
        if ids:
            self.metadata.rows("the training dataset", id_array(ids, "ids"), np.concatenate(self._labels))

    def check_model(self, model: Any) -> None:
        """Refuse labels, logits and class names that do not fit together."""
        where, batches = (
            "the first batch of the training dataset",
            zip(self._ids, self._batches(), strict=False),
        )
        ids, first = next(((ids, batch) for ids, batch in batches if ids), (None, None))
        if first is None:
            self.idle(model)
            return
        labels, logits = self._run(model, first)
        table = signal_table(ids, labels, logits=logits, where=where)
        self.metadata.check_classes(where, table)
        for ids, labels in zip(self._ids, self._labels, strict=True):
            wrong = (labels < 0) | (labels >= classes_of(table)[0])
            refuse(
                wrong, np.array(ids), f"the training dataset: label is not in 0..{classes_of(table)[0] - 1}"
            )

    def _run(self, model, batch):
        """Return (labels, logits) of a batch."""
        found = labels_and_logits(model, batch, label_name(self.args))
        self.made += 1
        return found

    def outputs(self, model: Any) -> Iterator[tuple[Any, ...]]:
        """Yield (ids, labels, logits) of each batch."""
        name = label_name(self.args)
        for ids, batch in zip(self._ids, self._batches(), strict=True):
            count = len(labels_of(batch, name))
            if count != len(ids):
                raise SignalError(
                    f"the collator made a batch of {count} rows, which had {len(ids)} before training; let it leave "
                    "out the same rows each time"
                )
            if count:
                yield ids, *self._run(model, batch)

    def embeddings(self, model: Any) -> tuple[list, list[np.ndarray]] | None:
        """Return (ids, the encoder's mean outputs, of pairs two) of this process's samples; None if it has none."""
        encoder, found = encoder_of(model), list[list[np.ndarray]]()
        if encoder is None:
            return None
        outputs: list = []
        pad = getattr(getattr(model, "config", None), "pad_token_id", None)
        hook, count = self.callback.after(encoder, outputs.append), sum(map(len, self._ids))
        name = label_name(self.args)
        try:
            for batch in filter(lambda batch: len(labels_of(batch, name)), self._batches()):
                outputs.clear()
                self._run(model, batch)
                means = mean_outputs(outputs[-1], batch, pad) if outputs else None
                if means is None or (found and len(means) != len(found[0])):
                    return None
                embeddings.refuse_large(count, sum(part.shape[1] for part in means))
                found.append(means)
        except SignalError as error:
            say("note: no embeddings are logged: {error}", error=error)
            return None
        finally:
            hook.remove()
        ids = [value for batch in self._ids for value in batch]
        return ids, [np.concatenate(part) for part in zip(*found, strict=True)]

    def idle(self, model: Any) -> None:
        """Make a forward pass of the first batch that the collator leaves."""
        every = self.callback.batches(self.rows, range(len(self.rows)), self.loader, self.args)
        self._run(model, next(batch for batch in every if len(labels_of(batch, label_name(self.args)))))

    def record(self, recorder: SignalRecorder, *outputs: Any) -> None:
        """Record a batch of (ids, labels, logits)."""
        ids, labels, logits = outputs
        recorder.record(ids, labels, logits=logits)


@contextlib.contextmanager
def _explained(task: str) -> Iterator[None]:
    """Say of whatever fails before training that the samples cannot be observed."""
    try:
        yield
    except DataMapError:
        raise
    except Exception as error:
        raise ConfigError(
            f"the training samples cannot be observed as task={task!r}: {reason(error)}; "
            "use datamap.SignalRecorder in your own loop"
        ) from error


def refuse_split_models(args: Any, processes: Processes) -> None:
    """Raise ConfigError if processes train that have not joined, or that hold parts of one model."""
    if args.world_size > 1 and processes.count == 1:
        raise ConfigError(
            f"DataMapCallback: {args.world_size} devices train together, but not as processes of torch.distributed or "
            "paddle.distributed, which it needs; use one, or datamap.SignalRecorder in your own loop"
        )
    parallel = getattr(args, "parallelism_config", None)
    parts = [
        (name, getattr(args, name, 1)) for name in ("tensor_parallel_degree", "pipeline_parallel_degree")
    ]
    parts += [(name, getattr(parallel, name, 1)) for name in ("tp_size", "cp_size", "sp_size")]
    for name, count in parts:
        if isinstance(count, int) and count > 1:
            raise ConfigError(
                f"{name}={count}: DataMapCallback needs a whole model per process (data parallel, FSDP or ZeRO); "
                "use datamap.SignalRecorder in your own loop"
            )


def task_of(model: Any, args: Any) -> Task:
    """Return what a Trainer trains, by its arguments and its model."""
    if type(args).__name__ == "DPOConfig":
        return Task.SCORES
    names = [
        kind.__name__ for part in (model, getattr(model, "base_model", None)) for kind in type(part).__mro__
    ]
    inner = getattr(getattr(model, "base_model", None), "model", None)  # PEFT wraps the model
    names += [kind.__name__ for kind in type(inner).__mro__]
    problem = getattr(getattr(model, "config", None), "problem_type", None)
    if problem == "multi_label_classification":
        return Task.MULTILABEL
    if any(name.endswith("ForConditionalGeneration") for name in names):
        raise ConfigError(
            f"{type(model).__name__} is no causal model of texts: use datamap.SignalRecorder(task='generation') in "
            "your own loop"
        )
    heads = {"ForCausalLM": Task.GENERATION, "ForTokenClassification": Task.TOKENS}
    found = (task for end, task in heads.items() if any(name.endswith(end) for name in names))
    return next(found, Task.CLASSIFICATION)


def task_of_outputs(labels: Any, scores: Any) -> Task:
    """Return what a model does whose labels and logits (or probabilities) have these shapes.

    Beyond `MAX_TAGS`, classes of tokens are a vocabulary.
    """
    own, shape = (tuple(getattr(values, "shape", ())) for values in (labels, scores))
    if len(own) == 2 and len(shape) == 3 and shape[2] <= MAX_TAGS:
        return Task.TOKENS
    return Task.MULTILABEL if own == shape and len(shape) == 2 and shape[1] > 1 else Task.CLASSIFICATION


def names_of(model: Any, task: Task) -> list[str] | None:
    """Return the names that the model's config gives the units' classes; None if it gives none of its own."""
    names = getattr(getattr(model, "config", None), "id2label", None)
    if not DEFINITIONS[task].unit or not isinstance(names, Mapping) or set(names) != set(range(len(names))):
        return None
    found = [names[index] for index in range(len(names))]
    return None if any(name == f"LABEL_{index}" for index, name in enumerate(found)) else found


def label_name(args: Any) -> str:
    """Return the key of the labels in a batch, as the Trainer's arguments name it.

    Raises:
        ConfigError: the arguments name several keys.
    """
    names = args.label_names or ["labels"]
    if len(names) != 1:
        raise ConfigError(
            f"label_names={names}: one key holds all labels here; use datamap.SignalRecorder in your own loop"
        )
    return names[0]


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
