"""Signals of anybody's training loop, in an MLflow run: as our own training logs them, by the same path."""

import atexit
import contextlib
import operator
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datamap import schema
from datamap.errors import ConfigError, DataError, SignalError, TrackingError, counted, first_few
from datamap.log import say
from datamap.program import invocation
from datamap.signals import align, compute, shards
from datamap.summaries import tsv
from datamap.tracking.outbox import Delivery, Outbox
from datamap.tracking.store import Store, active_run_id

UNITS = ("epoch", "step")
SAMPLE_COLUMNS = ("id", "text_a", "text_b", "label", "s_label")
SHARD_ROWS = 100_000  # these three: as in conf/train.yaml and conf/tracking/default.yaml
RETRY_SECONDS = 300
SPOOL = "datamap-spool"


class SignalRecorder(compute.ObservationCollector):
    """Records what a model says of each training sample, in a training loop of your own.

        with datamap.SignalRecorder(class_names=["no", "yes"]) as recorder:
            for epoch in range(1, 4):
                for batch in loader:
                    ...
                    recorder.record(batch.ids, batch.labels, logits=logits)
                recorder.commit(epoch)

    Observations go into the run that `run_id` names, else into `mlflow.active_run()`, else into a new run of
    the experiment `datamap`. A run made here ends as FINISHED, FAILED or KILLED; the status of any
    other stays its owner's. Without `with`, call `close()` at the end.

    Args:
        class_names: names of the classes by index, for legends and the explorer.
        samples: DataFrame (or what becomes one) with the columns id and text_a, and text_b, label
            and s_label where there are any: the texts, for explorer, diagnose and curate.
        run_id: id of a run that has no signals yet.
        run_name, tags: of a new run.
        format: of the files of signals, "jsonl" or "parquet" (a seventh of the size).
        unit: what observations are numbered by, "epoch" or "step".
    Raises:
        TrackingError: there is no such run, it holds signals, or the store does not answer.
        ConfigError, DataError: an argument that cannot be used.
    """

    def __init__(
        self, class_names=None, samples=None, *, run_id=None, run_name=None, tags=None, format="jsonl", unit="epoch"
    ):  # fmt: skip
        super().__init__(self._send)
        _refuse_unknown("format", format, schema.FORMATS)
        _refuse_unknown("unit", unit, UNITS)
        if class_names is not None and len(set(class_names)) < len(class_names):
            raise ConfigError(f"class_names={list(class_names)}: a name occurs twice")
        self._class_names, self._format, self._unit = class_names, format, unit
        self._samples = None if samples is None else _sample_table(samples)
        self._rows, self._observations, self._metrics, self._closed = 0, 0, {}, False
        with contextlib.ExitStack() as stack:  # until all is well, an error ends the run
            self.run, owned = _open(stack, run_id, run_name, tags)
            self.run_id = self.run.run_id
            self.run.begin(owned)
            outbox = Outbox(self.run, RETRY_SECONDS, SPOOL, say, owned=owned)
            self._outbox = stack.enter_context(outbox)
            self._log_start()
            self._life = stack.pop_all()
        atexit.register(self._abandon)

    def _log_start(self):
        if self._class_names is not None:
            self._refuse_overwriting(schema.LABELS_FILE)
            self.run.log_labels(self._class_names)
        if self._samples is not None:
            self._refuse_overwriting(schema.SAMPLES_FILE)
            self.run.log_bytes(b"".join(tsv.lines(self._samples)), schema.SAMPLES_FILE)

    def _refuse_overwriting(self, path):
        if self.run.has(path):
            raise TrackingError(
                f"run {self.run_id} has {path} already; leave class_names= and samples= out, or use a new run"
            )

    def commit(self, number, metrics=None):
        """End the observation, and log it as observation `number` of the run; returns its table.

        It is sent while training goes on. `metrics` is {name: value}, logged at step `number`.

        Raises:
            SignalError: nothing was recorded, an id was recorded twice, `number` does not come
                after the last one, or classes or ids are not those of `class_names` and `samples`.
            TrackingError: an earlier observation could neither be sent nor spooled.
        """
        if self._closed:
            raise SignalError(f"run {self.run_id}: its recorder is closed; make a new one for a new run")
        try:
            number = operator.index(number)
            self._metrics = {name: float(value) for name, value in (metrics or {}).items()}
        except (TypeError, ValueError) as error:
            raise SignalError(f"commit({number!r}, {metrics!r}): numbers only ({error})") from error
        return super().commit(number)

    def _send(self, number, table):
        self._check(number, table)
        if self._samples is not None:
            table = self._with_samples(number, table)

        def files():
            return shards.files(table, self._unit, number, SHARD_ROWS, self._format)

        self._outbox.put(Delivery(number, files, {**self._metrics, schema.COMMIT_METRIC: table.num_rows}))
        self._rows = table.num_rows
        self._observations += 1

    def _check(self, number, table):
        classes = len(table["probs"][0])
        if self._class_names is not None and classes != len(self._class_names):
            raise SignalError(
                f"observation {number}: the model has {classes} classes, class_names= {len(self._class_names)}"
            )

    def _with_samples(self, number, table):
        """The table with the planted kinds that samples= has, where none were recorded.

        Raises:
            SignalError: an id that samples= has not, or another label than there.
        """
        rows = align.rows(table["id"], self._samples["id"].astype(str))
        if (rows < 0).any():
            strangers = first_few(align.missing(table["id"], rows))
            raise SignalError(
                f"observation {number}: samples= has no id {strangers}; record the ids that samples= has"
            )
        known = self._samples.iloc[rows]
        if "label" in known:
            labels = known["label"].to_numpy()
            if labels.dtype.kind not in "iu":  # names
                places = {str(name): index for index, name in enumerate(self._class_names or ())}
                labels = [places.get(str(name), -1) for name in labels]
            wrong = pa.array((table["label"].to_numpy() != labels) & (np.asarray(labels) >= 0))
            if pc.any(wrong).as_py():
                which = first_few(table["id"].filter(wrong).to_pylist())
                raise SignalError(f"observation {number}: samples= has another label, id {which}")
        return compute.with_planted(table, known["s_label"].to_numpy()) if "s_label" in known else table

    def close(self):
        """Wait until all is logged, and end a run that was made here.

        Raises:
            TrackingError: the store did not take all; what is left lies in the spool.
        """
        self.__exit__(None, None, None)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if self._closed:
            return
        self._closed = True
        atexit.unregister(self._abandon)
        lost = sum(batch.num_rows for batch in self._batches)
        if lost:
            say(f"note: {counted(lost, 'record')} after observation {self._last} never committed, and lost")
        try:
            if kind and error is None:  # at the end of a process only the type is known
                error = KeyboardInterrupt() if issubclass(kind, KeyboardInterrupt) else RuntimeError()
            self._life.__exit__(kind, error, trace)
        finally:
            logged = f"{counted(self._observations, 'observation')} of {counted(self._rows, 'sample')}"
            say(f"run {self.run_id}  ({self.run.address}): {logged}")
            if self._observations:
                here = self.run.tracking_uri == f"sqlite:///{Path.cwd()}/mlflow.db"
                where = [] if here else [f"tracking.uri={self.run.tracking_uri}"]
                say(f"next: {invocation('summarize', f'run_id={self.run_id}', *where)}")

    def _abandon(self):
        """At the end of a process that never closed the recorder: its training raised, as far as we can tell."""
        say(f"note: the recorder of run {self.run_id} was never closed: use `with`, or close() at the end")
        self.__exit__(getattr(sys, "last_type", None) or RuntimeError, None, None)


def _refuse_unknown(name, value, choices):
    if value not in choices:
        raise ConfigError(f"{name}={value!r}: it is one of {first_few(choices)}")


def _open(stack, run_id, run_name, tags):
    """(the run to write into, whether it is ours); one of ours ends with the stack."""
    theirs = run_id or active_run_id()
    if not theirs:
        return stack.enter_context(Store(create=True).new_run(run_name, tags)), True
    if run_name or tags:
        raise ConfigError(f"run_name= and tags= are for a new run, but signals go into run {theirs}")
    run = Store().run(theirs)
    if run.committed() or run.files(schema.SIGNALS_DIR):
        raise TrackingError(
            f"run {theirs} holds signals already, and nothing is overwritten: record into a new run "
            "(mlflow.start_run(), or no run at all)"
        )
    return run, False


def _sample_table(samples):
    """The columns that we log of a user's table of texts, as a DataFrame."""
    import pandas as pd

    frame = samples.to_pandas() if hasattr(samples, "to_pandas") else pd.DataFrame(samples)
    missing = {"id", "text_a"} - set(frame.columns)
    if missing:
        raise DataError(
            f"samples= has no column {first_few(sorted(missing))} (columns: {first_few(frame.columns, 10)}); "
            "rename yours: samples.rename(columns={'text': 'text_a'})"
        )
    twice = frame["id"][frame["id"].duplicated()]
    if len(twice):
        raise DataError(f"samples=: id repeated: {first_few(twice)}")
    for name in {"text_a", "text_b"} & set(frame.columns):
        empty = frame[name].isna() | (frame[name].astype(str).str.strip() == "")
        if empty.any():
            raise DataError(f"samples=: {name} is empty, id {first_few(frame['id'][empty])}")
    return frame[[name for name in SAMPLE_COLUMNS if name in frame.columns]]
