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


def resolved_data(config: TrainConfig) -> DataConfig:
    """Return the config of the data, with `latest` in its paths replaced by the id of the run that it means now."""
    data, where = config.data, (config.tracking.uri, config.tracking.experiment)
    return replace(data, path=resolved(data.path, *where), dev_path=resolved(data.dev_path, *where))


def load(config: TrainConfig) -> LabeledTexts:
    """Load the training and development texts that the `data` keys describe.

    Raises:
        ConfigError: neither a path nor a loader is given.
        DataError: see `dataset.load_samples`.
    """
    data = config.data
    samples, dev = _loaded(data, config.tracking)
    for note in dict.fromkeys(samples.notes + (dev.notes if dev else [])):
        say("note: {note}", note=note)
    if data.sample and data.sample > len(samples):
        say(
            "note: data.sample={sample}, but {path} has {rows} rows: all are used",
            sample=data.sample,
            path=samples.path,
            rows=len(samples),
        )
    elif data.sample:
        samples = dataset.draw(samples, data.sample, config.seed)
    if data.flip_ratio:
        samples = dataset.flip_labels(samples, data.flip_ratio, config.seed)
    if samples.bad_rows:
        say(
            "{rows} of {path} left out (artifact data/bad_rows.tsv)",
            rows=Amount(len(samples.bad_rows), "bad row"),
            path=samples.path,
        )
    return LabeledTexts(samples, dev)


def _loaded(data: DataConfig, tracking: TrackingConfig) -> LabeledTexts:
    options: dict[str, Any] = {"columns": asdict(data.columns), "skip_bad": data.on_bad_row == "skip"}
    if data.path is None:
        if data.loader is None:
            raise ConfigError("give data.path=<file>, or data.loader=<a data set that PaddleNLP knows>")
        return LabeledTexts(*dataset.load_named(data.loader, **options))
    options |= {"header": data.header, "encoding": data.encoding, "delimiter": data.delimiter}
    samples = _load(data.path, tracking, **options)
    if not data.dev_path:
        return LabeledTexts(samples, None)
    return LabeledTexts(samples, _load(data.dev_path, tracking, **options, class_names=samples.class_names))


def _load(path, tracking, **options):
    with opened(path, tracking.uri) as file:
        return dataset.load_samples(file, **options, name=path)


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
