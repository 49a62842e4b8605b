"""Record the training samples of a Trainer by an evaluation pass, for Hugging Face and PaddleNLP alike."""

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, ClassVar

import numpy as np

from datamap.callbacks.classification import ClassificationObserver, labels_and_logits
from datamap.callbacks.framework import Framework
from datamap.callbacks.observed_rows import Rows
from datamap.callbacks.observer import SampleObserver
from datamap.callbacks.rows import has_several_labels
from datamap.callbacks.trainer_arguments import (
    label_name,
    names_of,
    refuse_split_models,
    task_of,
    task_of_outputs,
)
from datamap.callbacks.units import LabelObserver, TokenObserver
from datamap.errors import ConfigError, DataMapError, SignalError, reason, shortened
from datamap.log import say
from datamap.processes import Processes, joined_processes
from datamap.recording.arguments import choice
from datamap.recording.metadata import Metadata
from datamap.recording.recorder import SignalRecorder
from datamap.schema import Task
from datamap.signals import embeddings

SUBSET_TAG = "datamap.observed_samples"  # how many samples of a larger training set are observed


class TrainerRecording(Framework):
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

    # What observes the samples of each task.
    sources: ClassVar[Mapping[Task, type[SampleObserver]]] = {
        Task.CLASSIFICATION: ClassificationObserver, Task.TOKENS: TokenObserver, Task.MULTILABEL: LabelObserver
    }  # fmt: skip

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
        self._source: SampleObserver | None = None
        self.processes = Processes()

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
        self.processes = joined_processes()
        tokenizer = kwargs.get("processing_class") or kwargs.get("tokenizer")
        # What needs no forward pass comes first: under FSDP and ZeRO-3 no process can make one alone.
        self.processes.agree(lambda: self._prepare(args, model, train_dataloader, tokenizer))
        assert self._source
        self._source.compare_passes()
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
        with self.observing(model):
            rows = Rows(loader.dataset, self._ids, self._count, self._seed)
            task = self._found_task(args, model, loader, rows)
            names = self._options.get("class_names")
            names = names_of(model, task) if names is None else names
            metadata = Metadata.from_arguments(names, self._options.get("samples"), task)
            # The checked values, as an iterator can be read only once.
            self._options |= {**metadata._asdict(), "task": task.value}
            if task not in self.sources:
                raise ConfigError(
                    f"task={task.value!r} is not recorded by this framework's callback; use datamap.SignalRecorder"
                )
            self._source = self.sources[task](
                framework=self,
                processes=self.processes,
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
        if self._source.encoder(model) is None:
            return None
        try:
            with self._source.passing(model):
                mine = self._source.embeddings(model)
        except Exception as error:  # the other processes wait, and training need not end for that
            say("note: no embeddings are logged: {error}", error=error)
            mine = None
        found = self.processes.gather(mine)
        if any(part is None for part in found) or not self.processes.first:
            return None
        ids = [value for names, _ in found for value in names]
        arrays = [parts for _, parts in found if parts]
        if len(set(map(len, arrays))) != 1:  # no process has samples, or only some have pairs
            return None
        try:
            return embeddings.checked_parts(
                ids, list(map(np.concatenate, zip(*arrays, strict=True))), "the encoder"
            )
        except SignalError as error:  # too large, or beyond half precision: training need not end for that
            say("note: no embeddings are logged: {error}", error=error)
            return None

    def _try(self, model, resumed):
        assert self._source
        with self.observing(model), _explained(self._options["task"]):
            self._source.check_model(model)
        self._source.begin(model, resumed)

    def _say_what(self):
        assert self._source and self.recorder
        rows = self._source.rows
        if not self.processes.first:
            return
        if rows.numbered and self._source.by_row:
            say(
                "note: ids are row numbers from 0, because the training dataset has no column id; keep it with "
                "remove_unused_columns=False, or pass ids="
            )
        if self._count is None:
            return
        count, total = self._source.observed
        drawn = f"{count} of {total}, seed {self._seed}"
        line = "observing {count} of {total} samples, drawn with seed {seed}"
        if rows.stream:
            drawn = f"the first {count} of a stream"
            line = "observing the first {count} samples of a stream"
        self.recorder.run.set_tags({SUBSET_TAG: drawn})
        say(line, count=count, total=total, seed=self._seed)

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
            with source.passing(model):
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


@contextlib.contextmanager
def _explained(task: str) -> Iterator[None]:
    """Explain an error before training: the samples cannot be observed."""
    try:
        yield
    except DataMapError:
        raise
    except Exception as error:
        raise ConfigError(
            f"the training samples cannot be observed as task={task!r}: {reason(error)}; "
            "use datamap.SignalRecorder in your own loop"
        ) from error
