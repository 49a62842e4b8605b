"""Load the labeled texts of a training, draw a sample of them, plant dirty labels if asked to, and log them."""

from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from datamap import schema
from datamap.config import DataConfig, TrackingConfig, TrainConfig
from datamap.data import dataset, multilabel, tokens
from datamap.data.dataset import TextDataset
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


class LabeledTexts(NamedTuple):
    """Hold the samples to train on (`samples`) and those to measure on (`dev`, or None)."""

    samples: TextDataset | UnitDataset
    dev: TextDataset | UnitDataset | None

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
    data, (samples, dev) = _loaded(config.data, config.tracking)
    if data.ids is not None:
        data = replace(data, ids=_resolved(data.ids, config.tracking))
        named = selections.chosen("data.ids", data.ids, samples.ids, samples.path, config.tracking.uri)
        samples = dataset.part(samples, named.nonzero()[0], "data.ids")
    sample = data.sample or 0
    if 0 < sample <= len(samples):
        samples = dataset.draw(samples, sample, data.seed)
    if data.flip_ratio and isinstance(samples, TextDataset):
        samples = dataset.flip_labels(samples, data.flip_ratio, data.seed)
    for note in dict.fromkeys(samples.notes + (dev.notes if dev else [])):
        say("note: {note}", note=note)
    if sample > len(samples):
        more = "note: data.sample={sample}, but {path} has {rows} rows: all are used"
        say(more, sample=sample, path=samples.path, rows=len(samples))
    if samples.bad_rows:
        bad = Amount(len(samples.bad_rows), "bad row")
        say("{rows} of {path} left out (artifact data/bad_rows.tsv)", rows=bad, path=samples.path)
    return replace(config, data=data), LabeledTexts(samples, dev)


def _resolved(ids: object, tracking: TrackingConfig) -> object:
    return resolved(ids, tracking.uri, tracking.experiment) if isinstance(ids, str) else ids


def _refuse_other_tasks(config: TrainConfig) -> None:
    """Raise ConfigError if a key is given that the task does not use."""
    data, task = config.data, Task(config.data.task)
    if data.label_separator and task is not Task.MULTILABEL:
        raise ConfigError(f"data.label_separator is for data.task=multilabel, not {task.value}; leave it out")
    given = {
        "data.loader": data.loader,
        "data.flip_ratio": data.flip_ratio,
        "signals.threshold_samples": config.signals.threshold_samples,
    }
    for key, value in given.items():
        if value and task is not Task.CLASSIFICATION:
            raise ConfigError(f"{key} is for data.task=classification, not {task.value}; leave it out")
    if isinstance(data.columns.label, list) and task is not Task.MULTILABEL:
        raise ConfigError(
            f"data.columns.label has {len(data.columns.label)} columns; that is for data.task=multilabel"
        )


def _loaded(data: DataConfig, tracking: TrackingConfig) -> tuple[DataConfig, LabeledTexts]:
    if data.path is not None:
        return _of_files(data, data.path, tracking)
    if data.loader is None:
        raise ConfigError("give data.path=<file>, or data.loader=<a data set that PaddleNLP knows>")
    return data, LabeledTexts(
        *dataset.load_named(data.loader, asdict(data.columns), data.on_bad_row == "skip")
    )


def _of_files(data: DataConfig, path: str, tracking: TrackingConfig) -> tuple[DataConfig, LabeledTexts]:
    uri, experiment = tracking.uri, tracking.experiment
    path = resolved(path, uri, experiment)
    dev_path = data.dev_path and resolved(data.dev_path, uri, experiment)
    data = replace(data, path=path, dev_path=dev_path)
    with opened(path, uri) as file, opened(dev_path or path, uri) as dev_file:
        samples = _reader(data)(file, name=path)
        if isinstance(samples, UnitDataset):
            data = replace(data, label_separator=samples.separator)
        dev = _reader(data)(dev_file, name=dev_path, class_names=samples.class_names) if dev_path else None
    return data, LabeledTexts(samples, dev)


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
