"""Record the signals of any training loop into an MLflow run, in the same way as `datamap train` logs them."""

import contextlib
import os
import sys
from collections.abc import Iterable, Mapping
from functools import partial
from multiprocessing.util import Finalize
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from datamap import schema
from datamap.errors import ConfigError, DataMapError, SignalError, TrackingError, first_few
from datamap.log import say
from datamap.processes import Processes, joined_processes
from datamap.recording import arguments
from datamap.recording.examples import Examples
from datamap.recording.metadata import Metadata
from datamap.recording.reference import Reference
from datamap.recording.shared_log import SharedLog, join_run, merge_records
from datamap.recording.stored_signals import signals_of
from datamap.schema import Task
from datamap.signals import compute, shards
from datamap.signals.embeddings import encode
from datamap.summaries import tsv
from datamap.tasks.definitions import DEFINITIONS, tables_of
from datamap.tracking.delivery import Delivery
from datamap.tracking.outbox import Outbox
from datamap.tracking.run import Run
from datamap.tracking.spool import checked_folder
from datamap.tracking.store import MADE_TAG, Store, active_run_id, project_run_id
from datamap.translations import Amount, speak

UNITS = ("epoch", "step")
MAX_RETRY_SECONDS = 10**6


class SignalRecorder(compute.ObservationCollector):
    """Record a model's output for each training sample, in a training loop of your own.

        with datamap.SignalRecorder(class_names=["no", "yes"]) as recorder:
            for epoch in range(1, 4):
                for batch in loader:
                    ...
                    recorder.record(batch.ids, batch.labels, logits=logits)
                recorder.commit(epoch)

    The task says what `record` takes: labels and logits (classification), the log-probabilities of target tokens
    (generation), or numbers of your own (scores).

    Observations go into the run that `run_id` names, else into `mlflow.active_run()` (unless `tracking_uri` is another
    store) or the run of `MLFLOW_RUN_ID`, else into a new run of the experiment `datamap`. A run made here ends as
    FINISHED, FAILED or KILLED; the recorder never changes the status of any other run. Without `with`, call `close()`
    at the end. A run has one recorder, which works only in the process that made it, not in a fork.

    Where several processes train together (torchrun, accelerate, paddle.distributed), each makes a recorder after they
    have joined, records its own samples, and commits the same numbers. All recorders write into the first one's run.
    A sample that several of them recorded, as samplers pad their last batches, counts once.

    Invalid signals are refused at once, and what was recorded before stays; `datamap summarize` can read all that is
    accepted.

    Args:
        class_names: names of the classes by index, for legends and the explorer.
        samples: DataFrame (or what `pandas.DataFrame` accepts) with the column id and, if there are any, text_a,
            text_b, label and s_label. The explorer, `diagnose` and `curate` use the texts. For generation and scores:
            the rows of your training file, with prompt and completion, messages, instruction and output, or text;
            without a column id, row numbers from 0 are the ids. `curate` writes the rows as they are. For tokens and
            multilabel likewise: rows with tokens and tags, or with a text and its labels (`tasks.rows.read`).
        task: "classification", "tokens", "multilabel", "generation" or "scores".
        correct_above: generation: a sample is right if this share of its target tokens is exceeded, 0 to 1.
        run_id: id of a run that has no signals yet, unless `resume` is true.
        run_name: name of a new run, or of the one that `mlflow run` made for this process.
        tags: {name: value} of the same run.
        format: format of the signal files, "jsonl" or "parquet" (a seventh of the size). "auto" takes JSON lines, which
            MLflow's UI shows, if the first observation has at most 20,000 records, else Parquet.
        unit: unit by which observations are numbered, "epoch" or "step".
        tracking_uri: the MLflow store; None = where MLflow looks.
        retry_seconds: seconds for which sending is retried while the store is unreachable; then the observation is
            spooled.
        spool: folder for observations that could not be sent; `datamap upload` sends them later.
        shard_rows: largest number of records in a signal file.
        embeddings: (samples, width) numbers, in the order of `samples`: what a pretrained encoder makes of each sample;
            for pairs two such arrays. `diagnose`, `review` and the explorer use them.
        resume: go on after the last observation of the run, which may hold signals; observations that it has are left
            as they are.
        gathered: this process alone records, what it gathered from all others; they make no recorder.

    Attributes:
        run_id: id of the MLflow run that it records into.

    Raises:
        TrackingError: there is no such run, it holds signals already, or the store is unreachable.
        ConfigError: an argument is of the wrong type or out of range, the spool cannot be written to, or `embeddings`
            come without `samples`.
        DataError: `samples` has a column, id, text or label that cannot be used.
        SignalError: `embeddings` are not one finite vector per sample.

    >>> with datamap.SignalRecorder(["no", "yes"], run_name="two epochs") as recorder:
    ...     for epoch in (1, 2):
    ...         recorder.record(ids=["a", "b"], labels=[0, 1], logits=[[1.0, 0.0], [1.0, 0.5 * epoch]])
    ...         table = recorder.commit(epoch)
    >>> table["correct"].to_pylist()
    [True, False]
    """

    run_id: str
    _open: ClassVar[set[str]] = set()  # ids of the runs that recorders of this process write into

    def __init__(
        self, class_names: Iterable[object] | None = None, samples: Any = None, *, task: str = "classification",
        correct_above: float = 0.5, run_id: str | None = None, run_name: str | None = None,
        tags: Mapping[str, str] | None = None, format: str = "auto", unit: str = "epoch",
        tracking_uri: str | None = None, retry_seconds: float = 300, spool: str | Path = "datamap-spool",
        shard_rows: int = 100_000, embeddings: Any = None, resume: bool = False, gathered: bool = False,
    ) -> None:  # fmt: skip
        self._task = arguments.recorded_task(task, correct_above, class_names)
        super().__init__(self._send, tables_of(self._task.task, self._task.correct_above))
        speak()
        self._format = arguments.choice("format", format, (schema.AUTO, *schema.FORMATS))
        self._unit = arguments.choice("unit", unit, UNITS)
        texts = arguments.new_run(run_id, run_name, tags)
        arguments.checked_number("retry_seconds", retry_seconds, 0, MAX_RETRY_SECONDS)
        self._shard_rows = int(arguments.checked_number("shard_rows", shard_rows, 1, 2**31 - 1, whole=True))
        self._metadata = Metadata.from_arguments(class_names, samples, self._task.task)
        self._embeddings = self._metadata.embedded(embeddings, self._task.task)
        self._reference: Reference | None = None
        self._metrics: dict[str, float] = {}
        self._rows, self._observations, self._closed = 0, 0, False
        self._process = os.getpid()
        self._failure: Exception | None = None
        self.in_turn = False  # true if each process records the samples after those of the process before it
        self.resumed_at = 0  # number of the observation after which a resumed run continues
        self._processes = Processes() if gathered else joined_processes()
        with contextlib.ExitStack() as stack:  # an error before pop_all() ends the run
            find = partial(_run_of, stack, run_id, run_name, texts, tracking_uri, resume)
            lead = self._processes.agree(
                lambda: self._open_run(stack, find, spool, retry_seconds) if self._processes.first else None
            )
            self._processes.agree(lambda: self._processes.first or self._join_run(lead[0]))
            self._life = stack.pop_all()
        self._open.add(self.run_id)
        # Unlike an atexit handler, a finalizer of multiprocessing also runs in worker processes, and never in a fork.
        self._at_end = Finalize(None, self._abandon, exitpriority=0)

    def _open_run(self, stack, find, spool, retry_seconds):
        """Open the run in the first process, and return what the others need to know of it."""
        folder = checked_folder("spool", spool)
        self.run, owned, life = find()
        self.run_id = self.run.run_id
        self._refuse_second()
        self._refuse_other_record()  # before anything changes: the run may have ended well
        stack.enter_context(life)
        self.run.begin(owned)
        outbox = stack.enter_context(Outbox(self.run, retry_seconds, folder, owned=owned))
        self._resume()
        self._log = self._shared(outbox)
        self._log_start()
        return self.run.tracking_uri, self.run_id, self.run.writer, self._last, self._reference, self._format

    def _join_run(self, lead):
        """Open the run that the first process leads."""
        uri, self.run_id, writer, self._last, self._reference, self._format = lead
        self.resumed_at = self._last
        self.run = join_run(uri, self.run_id, writer)
        self._log = self._shared(None)

    def _shared(self, outbox):
        return SharedLog(self.run, self._processes, outbox, self._unit, self._shard_rows, self._format)

    def _resume(self):
        """Go on after the last observation of the run, if it has any."""
        committed = self.run.committed()
        if committed:
            self._last = self.resumed_at = max(committed)
            observed = signals_of(self.run, committed)
            first = min(observed)
            self._reference = Reference.from_table(first, shards.read(self.run.artifacts, observed[first]))
            if self._format == schema.AUTO:
                self._format = observed[first][0].format
            say("resuming after observation {number}", number=self._last)

    def _refuse_other_record(self):
        """Raise TrackingError if the run is of another task, or its observations are numbered by another unit."""
        before, committed = self.run.task(), self.run.committed()
        if before.words != self._task.words and (committed or before.task is not Task.CLASSIFICATION):
            raise TrackingError(
                f"run {self.run_id} records {before.words} and cannot continue as {self._task.words}; use a new run"
            )
        found = map(schema.parse_shard, self.run.files(schema.SIGNALS_DIR))
        other = {shard.unit for shard in found if shard} - {self._unit}
        if other:
            raise TrackingError(
                f"run {self.run_id} numbers observations by {first_few(other)}, not by {self._unit}; use a new run"
            )

    def _refuse_second(self):
        if self.run_id in self._open:
            raise TrackingError(
                f"run {self.run_id} already has a recorder: close it first, or record into a separate run, "
                "such as `with mlflow.start_run(nested=True)`"
            )

    def _log_start(self):
        names, samples, table = *self._metadata, self._metadata.table
        if self._task.task is not self.run.task().task:
            self.run.log_task(self._task)
        names = DEFINITIONS[self._task.task].states or names
        if names and self._may_log(schema.LABELS_FILE):
            self.run.log_labels(names)
        if table is not None and "text_a" in table and self._may_log(schema.SAMPLES_FILE):
            self.run.log_bytes(b"".join(tsv.lines(table)), schema.SAMPLES_FILE)
        if isinstance(samples, Examples) and self._may_log(schema.ROWS_FILE):
            self.run.log_bytes(samples.lines, schema.ROWS_FILE)
        if self._embeddings is not None and self._may_log(schema.EMBEDDINGS_FILE):
            self.run.log_bytes(encode(self._embeddings), schema.EMBEDDINGS_FILE)

    def _may_log(self, path):
        """Return true if the run has no artifact at `path`, false if a resumed run has it."""
        there = self.run.has(path)
        if there and not self.resumed_at:
            raise TrackingError(
                f"run {self.run_id} has {path} already; leave class_names=, samples= and embeddings= out, "
                "or use a new run"
            )
        return not there

    def record(
        self,
        ids: Any,
        labels: Any = None,
        logits: Any = None,
        probs: Any = None,
        noisy_labels: Any = None,
        **outputs: Any,
    ) -> None:
        """Add a batch of samples to the current observation; an empty batch adds nothing.

        Any further keyword is a signal of your own, one number per sample: `summarize` reduces it to its mean.

        Args:
            ids: (samples,) whole numbers or strings, unique in the observation.
            labels: classification: (samples,) class indices of the given labels. Generation: one sequence of target
                tokens per sample, -100 for a token that is none, where `logits[t]` predicts `labels[t]`. Tokens: one
                sequence of tags per sample, -100 for a token without one. Multilabel: (samples, labels) of 0 and 1.
            logits: classification: (samples, classes) unnormalized scores; give either these or `probs`. Generation:
                (samples, tokens, vocabulary), or one array (tokens, vocabulary) per sample; give either these or
                `token_logprobs`. Tokens: (samples, tokens, classes), or one array per sample. Multilabel: (samples,
                labels).
            probs: classification: (samples, classes) probabilities, each row of which sums to 1.
            noisy_labels: (samples,) planted kinds 0 (normal), 1 (hard) or 2 (dirty), if known.
            **outputs: generation: `token_logprobs` (ln p of each token, one sequence per sample, or a padded array),
                `token_correct` (whether it is the most probable token), and perhaps `token_margins` (ln p minus the
                largest other ln p) and `mask` (1 for target tokens; without it all tokens are targets).
                Scores: `confidence` (0 to 1; without it exp(−loss)), `correct` (without it confidence ≥ 0.5), `loss`;
                confidence or loss is needed. Any task: signals of your own.

        Raises:
            SignalError: an array has a wrong shape, type or value, belongs to another task, or the recorder is closed.

        >>> with datamap.SignalRecorder(task="scores") as recorder:
        ...     recorder.record(ids=[7, 8], loss=[0.1, 2.3])
        ...     recorder.record(ids=[9], loss=[0.7])
        ...     recorder.commit(1).num_rows
        3
        """
        self._refuse_closed()
        if self._failure:
            return
        super().record(ids, labels, logits=logits, probs=probs, noisy_labels=noisy_labels, **outputs)

    def commit(self, number: int, metrics: Mapping[str, object] | None = None) -> pa.Table:
        """End the current observation, log it as observation `number` of the run, and return its table.

        A thread sends it while training continues.

        Args:
            number: the epoch or step, larger than that of the observation before.
            metrics: {name: value} to log at step `number`.

        Returns:
            Arrow table, one row per sample.

        Raises:
            SignalError: nothing was recorded, an id was recorded twice, `number` is not larger than the last one,
                MLflow refuses a metric, or the samples do not fit `class_names`, `samples` or the first observation.
                What was recorded stays.
            TrackingError: an earlier observation could neither be sent nor spooled.

        >>> with datamap.SignalRecorder(task="scores") as recorder:
        ...     recorder.record(ids=[7, 8], confidence=[0.9, 0.1])
        ...     recorder.commit(1, metrics={"dev_accuracy": 0.5})["correct"].to_pylist()
        [True, False]
        """
        parts = self._processes.agree(lambda: self._part(number, metrics))
        number = parts[0][0]
        self._batches = self._batches if len(parts) == 1 else merge_records(number, parts)
        if self.resumed_at and self._batches and number <= self.resumed_at:
            say(
                "note: run {run} already has observation {number}, which stays as it is",
                number=number,
                run=self.run_id,
            )
            table, self._batches = pa.concat_tables(self._batches), []
            return table
        return super().commit(number)

    def _part(self, number, metrics):
        """Return the number of the observation, and what this process recorded for it."""
        self._refuse_closed()
        if self._failure:
            raise self._failure
        self._metrics = arguments.metrics(metrics)
        return arguments.observation_number(number), self._batches

    def fail(self, error: Exception) -> None:
        """Let the next `commit` raise `error`, in every process that records, and record nothing until then.

        A callback that must not raise at once, because other processes would wait for this one, calls it.
        """
        self._failure = self._failure or error

    def _refuse_closed(self):
        if os.getpid() != self._process:
            raise SignalError(
                f"run {self.run_id}: a forked process cannot record; record in the process that made the recorder"
            )
        if self._closed:
            raise SignalError(f"run {self.run_id}: its recorder is closed; make a new one for a new run")

    def _send(self, number, table):
        table = self._metadata.complete(f"observation {number}", table)
        if DEFINITIONS[self._task.task].states:
            self._metadata.check_labels(f"observation {number}", table)
        rows = self._reference.check(number, table) if self._reference else None
        ordered = self._in_order(table, rows)
        self._log.put(ordered, Delivery(number, metrics=self._metrics))
        self._reference = self._reference or Reference.from_table(number, ordered)
        self._rows = table.num_rows
        self._observations += 1

    def _in_order(self, table, rows):
        """Return an observation in the order of the first one, where it is divided: shard k then has the same samples.

        The order must not depend on the number of processes: that of `samples=`, else of the ids.
        """
        if self._processes.count == 1 and table.num_rows <= self._shard_rows:
            return table
        if self._reference:
            return self._reference.ordered(table, rows)
        if self._processes.count == 1 or self.in_turn:
            return table
        places = self._metadata.places(table["id"].combine_chunks())
        if places is None:
            return table.sort_by("id")
        return table.take(pa.array(np.argsort(places, kind="stable")))

    def close(self) -> None:
        """Wait until all is logged, and end a run that was made here.

        Raises:
            TrackingError: the store did not accept all; the rest waits in the spool.

        >>> recorder = datamap.SignalRecorder()
        >>> recorder.close()  # as `with` does
        """
        self.__exit__(None, None, None)

    def __enter__(self) -> "SignalRecorder":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._closed or os.getpid() != self._process:
            return
        lost = sum(batch.num_rows for batch in self._batches)
        if lost:
            say(
                "note: lost {records} that were not committed after observation {number}",
                records=Amount(lost, "record"),
                number=self._last,
            )
        try:
            self._life.__exit__(kind, error, trace)
        finally:  # an interrupt before this line leaves it to another `close`, or to the end of the process
            self._closed = True
            self._at_end.cancel()
            self._open.discard(self.run_id)
            self._say_end()

    def _say_end(self):
        if not self._processes.first:
            return
        say(
            "run {run}  ({address}): {observations} of {samples}",
            run=self.run_id,
            address=self.run.address,
            observations=Amount(self._observations, "observation"),
            samples=Amount(self._rows, DEFINITIONS[self._task.task].row),
        )
        if self._observations:
            say("next: {command}", command=self.run.command("summarize"))

    def _abandon(self):
        """End the run of a recorder that is still open at the process's end: FAILED, or KILLED by an interrupt."""
        never = "note: the recorder of run {run} was never closed: use `with`, or close() at the end"
        say(never, run=self.run_id)
        error = sys.exc_info()[1] or getattr(sys, "last_value", None) or RuntimeError("never closed")
        try:
            self.__exit__(type(error), error, None)
        except BaseException as raised:
            if raised is not error and not isinstance(raised, DataMapError):
                raise
            if raised is not error:
                say("note: {note}", note=raised)


def _run_of(
    stack: contextlib.ExitStack,
    run_id: str | None,
    run_name: str | None,
    tags: Mapping[str, str],
    tracking_uri: str | None,
    resume: bool,
) -> tuple[Run, bool, contextlib.AbstractContextManager]:
    """Return the run to write into, whether a recorder made it, and a context that ends a resumed run.

    The stack ends a new run.
    """
    named = run_id or active_run_id(tracking_uri)
    theirs = named or project_run_id()
    if not theirs:
        made = stack.enter_context(Store(tracking_uri, create=True).new_run(run_name, tags))
        return made, True, contextlib.nullcontext()
    if named and (run_name or tags):
        raise ConfigError(f"run_name= and tags= are for a new run, but signals go into run {theirs}")
    run = Store(tracking_uri).run(theirs)
    if resume:
        ours = MADE_TAG in run.tags() and run.run_id != active_run_id()
        return run, ours, run.until_end() if ours else contextlib.nullcontext()
    if run.committed() or run.files(schema.SIGNALS_DIR):
        raise TrackingError(
            f"run {theirs} already holds signals, which are never overwritten: record into a new run "
            "(mlflow.start_run(), or no run at all), or continue with resume=True"
        )
    run.set_name_and_tags(run_name, tags)
    return run, False, contextlib.nullcontext()
