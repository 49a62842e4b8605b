"""Load the labeled texts of a training, draw a sample of them, plant dirty labels if asked to, and log them."""

import contextlib
import os
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from datamap import schema
from datamap.config import DataConfig, TrackingConfig, TrainConfig
from datamap.data import dataset, multilabel, tables, tokens
from datamap.data.dataset import AnyDataset, TextDataset
from datamap.data.table import Form
from datamap.data.units import UnitDataset
from datamap.documents import RecordedTask
from datamap.errors import ConfigError
from datamap.log import say
from datamap.recording.arguments import recorded_task
from datamap.schema import Task
from datamap.summaries import tsv
from datamap.tasks.definitions import DEFINITIONS
from datamap.tracking import selections
from datamap.tracking.run import Run
from datamap.tracking.store import opened, resolved
from datamap.translations import Amount

TEXT = (".tsv", ".csv", ".txt")
# Keys that say how to read a file, and the files that they are for.
FILES_OF_KEYS = {
    "header": (*TEXT, ".xlsx"), "encoding": (*TEXT, ".json", ".jsonl", "CoNLL"), "delimiter": (*TEXT, "CoNLL")
}  # fmt: skip


class LabeledTexts(NamedTuple):
    """Hold the samples to train on (`samples`) and those to measure on (`dev`, or None)."""

    samples: AnyDataset
    dev: AnyDataset | None

    @property
    def texts(self) -> list[str]:
        """Return all training texts."""
        return self.samples.texts_a + (self.samples.texts_b or [])


def load(config: TrainConfig) -> tuple[TrainConfig, LabeledTexts]:
    """Load the training and development texts that the `data` keys describe.

    Returns:
        (the config with what was found out: the run that `latest` in a path means now, and what stands between labels;
        the texts).

    Raises:
        ConfigError: neither a path nor a loader is given, or a key is not for the task.
        DataError: see `dataset.load_samples`, `tokens.load` and `multilabel.load`.
    """
    _refuse_other_tasks(config)
    uri, data = config.tracking.uri, _with_runs(config.data, config.tracking)
    wanted = None if data.ids is None else selections.given_ids("data.ids", data.ids, uri)
    with contextlib.ExitStack() as stack:
        paths = [path for path in (data.path, data.dev_path) if path and data.path]
        samples, dev = _read(data, [stack.enter_context(opened(path, uri)) for path in paths])
    if isinstance(samples, UnitDataset):
        data = replace(data, label_separator=samples.separator)
    if wanted is not None:
        in_units = isinstance(samples, UnitDataset)
        rows = dataset.select_by_id("data.ids", wanted, samples.ids, samples.path, in_units).nonzero()[0]
        samples = dataset.part(samples, rows, "data.ids")
    sample = data.sample or 0
    if 0 < sample <= len(samples):
        samples = dataset.draw(samples, sample, data.seed)
    if data.flip_ratio and isinstance(samples, TextDataset):
        samples = dataset.flip_labels(samples, data.flip_ratio, data.seed)
    for note in dict.fromkeys(samples.notes + (dev.notes if dev else [])):
        say("note: {note}", note=note)
    if sample > len(samples):
        more = "note: data.sample={sample}, but {path} has only {rows} rows: using all of them"
        say(more, sample=sample, path=samples.path, rows=len(samples))
    if samples.bad_rows:
        bad = Amount(len(samples.bad_rows), "bad row")
        say("{rows} of {path} left out (see artifact data/bad_rows.tsv)", rows=bad, path=samples.path)
    return replace(config, data=data), LabeledTexts(samples, dev)


def _with_runs(data: DataConfig, tracking: TrackingConfig) -> DataConfig:
    """Return the config with the run that `latest` in its paths means now."""
    keys, where = ("path", "dev_path", "ids"), (tracking.uri, tracking.experiment)
    return replace(data, **{key: resolved(getattr(data, key), *where) for key in keys})


def _refuse_other_tasks(config: TrainConfig) -> None:
    """Raise ConfigError if a key is given that the task does not use."""
    data, task = config.data, Task(config.data.task)
    given = {
        "data.label_separator": (data.label_separator, Task.MULTILABEL),
        "data.loader": (data.loader, Task.CLASSIFICATION),
        "data.flip_ratio": (data.flip_ratio, Task.CLASSIFICATION),
        "signals.threshold_samples": (config.signals.threshold_samples, Task.CLASSIFICATION),
    }
    for key, (value, of) in given.items():
        if value and task is not of:
            raise ConfigError(f"{key} is for data.task={of.value}, not {task.value}; leave it out")
    if isinstance(data.columns.label, list) and task is not Task.MULTILABEL:
        raise ConfigError(
            f"data.columns.label has {len(data.columns.label)} columns; that is for data.task=multilabel"
        )


def _refuse_unused(data: DataConfig, file: Path | None) -> None:
    """Raise ConfigError if a key is given that has no meaning for the training file, or for PaddleNLP's data."""
    conll = data.task == Task.TOKENS.value and file is not None and tokens.is_conll(file)
    suffix = file.suffix.lower() if file and not os.path.isdir(file) else ""  # noqa: PTH112
    if suffix and not conll and suffix not in tables.READERS:
        return  # refused when it is read
    what = "a CoNLL file" if conll else suffix or ("a folder" if file else "a data set of PaddleNLP's")
    kind = "CoNLL" if conll else suffix
    given = {key: getattr(data, key) for key, kinds in FILES_OF_KEYS.items() if kind not in kinds}
    given |= {} if file else {"dev_path": data.dev_path}
    columns = {"columns.id": data.columns.id} if conll else {}
    columns |= {} if data.task == Task.CLASSIFICATION.value else {"columns.text_b": data.columns.text_b}
    given |= {key: value for key, value in columns.items() if value != "auto"}
    for key, value in given.items():
        if value is not None:
            subject = f"data.task={data.task}" if key == "columns.text_b" else what
            raise ConfigError(f"data.{key}={value} has no meaning for {subject}; leave it out")


def _read(data: DataConfig, files: list[Path]) -> LabeledTexts:
    """Read the samples from the files of `data.path` and `data.dev_path`, or from PaddleNLP's loader."""
    if files or data.loader:
        _refuse_unused(data, files[0] if files else None)
    if not files:
        if data.loader is None:
            raise ConfigError("give data.path=<file>, or data.loader=<a data set that PaddleNLP knows>")
        loaded = dataset.load_named(data.loader, asdict(data.columns), data.on_bad_row == "skip")
        return LabeledTexts(*loaded)
    read = _reader(data)
    samples = read(files[0], name=data.path)
    known = {"class_names": samples.class_names}
    if isinstance(samples, UnitDataset) and samples.separator:
        known["separator"] = samples.separator
    return LabeledTexts(samples, read(files[1], name=data.dev_path, **known) if files[1:] else None)


def _reader(data: DataConfig) -> Callable[..., Any]:
    """Return the function that reads a file of the task: called with a path, `name=` and `class_names=`."""
    options: dict[str, Any] = {"columns": asdict(data.columns), "skip_bad": data.on_bad_row == "skip"}
    form: dict[str, Any] = {"header": data.header, "encoding": data.encoding, "delimiter": data.delimiter}
    if data.task == Task.TOKENS.value:
        return partial(tokens.load, **options, form=Form(**form))
    if data.task == Task.MULTILABEL.value:
        return partial(multilabel.load, **options, form=Form(**form), separator=data.label_separator)
    return partial(dataset.load_samples, **options, **form)


def log(run: Run, data: LabeledTexts, texts: bool) -> None:
    """Log classes, data sets and bad rows into a run, and the samples themselves if `texts` is true."""
    samples, dev = data
    if samples.task is not Task.CLASSIFICATION:
        run.log_task(recorded_task(samples.task, RecordedTask().correct_above, samples.class_names))
    run.log_labels(DEFINITIONS[samples.task].states or samples.class_names)
    for part, context in ((samples, "training"), (dev, "evaluation")):
        if part:
            run.log_dataset(part.frame(), Path(part.path).stem, part.path, part.digest, context)
    if texts:
        run.log_bytes(b"".join(tsv.lines(samples.frame())), schema.SAMPLES_FILE)
        if isinstance(samples, UnitDataset):
            run.log_bytes(samples.json_lines(), schema.ROWS_FILE)
            if samples.original:
                run.log_bytes(samples.original.dumps(), schema.ORIGINAL_FILE)
    bad = samples.bad_rows + (dev.bad_rows if dev else [])
    if bad:
        lines = "".join(f"{row.path}\t{row.line}\t{row.problem}\n" for row in bad)
        run.log_text("file\tline\tproblem\n" + lines, "data/bad_rows.tsv")
