"""Load the labeled texts of a training, draw a sample of them, plant dirty labels if asked to, and log them."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

from datamap import schema
from datamap.config import DataConfig, TrackingConfig, TrainConfig
from datamap.data import dataset
from datamap.data.dataset import TextDataset
from datamap.errors import ConfigError
from datamap.log import say
from datamap.summaries import tsv
from datamap.tracking import selections
from datamap.tracking.run import Run
from datamap.tracking.store import opened, resolved
from datamap.translations import Amount


class LabeledTexts(NamedTuple):
    """Hold the samples to train on (`samples`) and those to measure on (`dev`, or None)."""

    samples: TextDataset
    dev: TextDataset | None

    @property
    def texts(self) -> list[str]:
        """Return all training texts."""
        return self.samples.texts_a + (self.samples.texts_b or [])


def load(config: TrainConfig) -> tuple[TrainConfig, LabeledTexts]:
    """Load the training and development texts that the `data` keys describe.

    Returns:
        (the config with `latest` in its paths replaced by the id of the run that it means now, the texts).

    Raises:
        ConfigError: neither a path nor a loader is given.
        DataError: see `dataset.load_samples`.
    """
    data, (samples, dev) = _loaded(config.data, config.tracking)
    if data.ids is not None:
        data = replace(data, ids=_resolved(data.ids, config.tracking))
        named = selections.chosen("data.ids", data.ids, samples.ids, samples.path, config.tracking.uri)
        samples = dataset.part(samples, named.nonzero()[0], "data.ids")
    sample = data.sample or 0
    if 0 < sample <= len(samples):
        samples = dataset.draw(samples, sample, data.seed)
    if data.flip_ratio:
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


def _loaded(data: DataConfig, tracking: TrackingConfig) -> tuple[DataConfig, LabeledTexts]:
    options: dict[str, Any] = {"columns": asdict(data.columns), "skip_bad": data.on_bad_row == "skip"}
    if data.path is not None:
        return _of_files(data, data.path, tracking, options)
    if data.loader is None:
        raise ConfigError("give data.path=<file>, or data.loader=<a data set that PaddleNLP knows>")
    return data, LabeledTexts(*dataset.load_named(data.loader, **options))


def _of_files(
    data: DataConfig, path: str, tracking: TrackingConfig, options: dict[str, Any]
) -> tuple[DataConfig, LabeledTexts]:
    uri, experiment = tracking.uri, tracking.experiment
    path = resolved(path, uri, experiment)
    dev_path = data.dev_path and resolved(data.dev_path, uri, experiment)
    options |= {"header": data.header, "encoding": data.encoding, "delimiter": data.delimiter}
    with opened(path, uri) as file, opened(dev_path or path, uri) as dev_file:
        samples = dataset.load_samples(file, **options, name=path)
        options["class_names"] = samples.class_names
        dev = dataset.load_samples(dev_file, **options, name=dev_path) if dev_path else None
    return replace(data, path=path, dev_path=dev_path), LabeledTexts(samples, dev)


def log(run: Run, data: LabeledTexts, texts: bool) -> None:
    """Log classes, data sets and bad rows into a run, and the samples themselves if `texts` is true."""
    samples, dev = data
    run.log_labels(samples.class_names)
    for part, context in ((samples, "training"), (dev, "evaluation")):
        if part:
            run.log_dataset(part.frame(), Path(part.path).stem, part.path, part.digest, context)
    if texts:
        run.log_bytes(b"".join(tsv.lines(samples.frame())), schema.SAMPLES_FILE)
    bad = samples.bad_rows + (dev.bad_rows if dev else [])
    if bad:
        lines = "".join(f"{row.path}\t{row.line}\t{row.problem}\n" for row in bad)
        run.log_text("file\tline\tproblem\n" + lines, "data/bad_rows.tsv")
