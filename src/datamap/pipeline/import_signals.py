"""Make a run from signals in files: the original tutorial's, Dataset Cartography's, or our own."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datamap import schema
from datamap.config import ImportConfig, to_yaml
from datamap.data import dataset, tables
from datamap.data.advice import without_keys
from datamap.data.dataset import TextDataset
from datamap.data.table import Form
from datamap.documents import RecordedTask
from datamap.errors import DataError, SignalError, counted, first_few, raised_as
from datamap.importing import sources
from datamap.log import say
from datamap.recording import examples
from datamap.recording.examples import Examples
from datamap.recording.metadata import Metadata
from datamap.schema import Task
from datamap.signals import align, shards
from datamap.signals.compute import with_planted
from datamap.summaries import tsv
from datamap.tasks import units
from datamap.tasks.definitions import DEFINITIONS
from datamap.tracking.run import Run
from datamap.tracking.store import Store, opened, resolved
from datamap.translations import Amount, speak

SHARD_ROWS = 100_000


class _Contents(NamedTuple):
    """Represent what files of signals hold.

    `samples` is an Arrow table (id, label); the rest are class names, the number of observations, a digest of the files
    and the task.
    """

    samples: pa.Table
    class_names: tuple[str, ...]
    observations: int
    digest: str
    task: RecordedTask


def import_signals(config: ImportConfig) -> Run:
    """Log the signals of files into a new run, and return it; read and check all files before the run is made.

    Raises:
        DataError: the files are damaged or do not belong together, or `texts=` does not fit them.
    """
    speak(config.lang)
    source = sources.find(config.path, config.format)
    contents = _survey(source)
    tracking, texts = config.tracking, None
    if config.texts:
        read = _texts if contents.task.task is Task.CLASSIFICATION else _examples
        path = resolved(config.texts, tracking.uri, tracking.experiment)
        with without_keys(), opened(path, tracking.uri) as file:
            texts = read(file, path, contents, source)
    store = Store(tracking.uri, tracking.experiment, create=True)
    with store.new_run(tracking.run_name, tracking.tags) as run:
        say("run {run}  ({address})", run=run.run_id, address=run.address)
        _log(run, config, source, contents, texts)
    say(
        "{observations} of {samples} imported",
        observations=Amount(contents.observations, "observation"),
        samples=Amount(len(contents.samples), DEFINITIONS[contents.task.task].row),
    )
    return run


def _survey(source: sources.Source) -> _Contents:
    """Read all observations, which checks them, and print a note about what is left out."""
    digest = sources.digest(source)
    observations = sources.observations(source, lambda text: say("note: {note}", note=text))
    _, _, first = next(observations)
    samples, names = first.select(["id", "label"]).combine_chunks(), _class_names(source, first)
    task = sources.task(source)
    if DEFINITIONS[task.task].unit:
        _refuse_units(source, samples, task)
    return _Contents(samples, names, 1 + sum(1 for _ in observations), digest, task)


def _refuse_units(source: sources.Source, samples: pa.Table, task: RecordedTask) -> None:
    """Raise SignalError for ids that name no unit, and for labels of several that are not 0 and 1, or have no name."""
    with raised_as(SignalError, f"{source.path}: {schema.TASK_FILE} says {task.words}", ValueError):
        positions = units.split(samples["id"])[1]
        odd = pc.filter(samples["id"], pc.greater(samples["label"], 1))
        if task.task is Task.MULTILABEL and len(odd):
            raise ValueError(f"label of id {odd[0]} is not 0 or 1")
        if task.label_names and positions.max() >= len(task.label_names):
            raise ValueError(f"position {positions.max()}, but {len(task.label_names)} label_names")


def _class_names(source: sources.Source, table: pa.Table) -> tuple[str, ...]:
    """Return the class names by index: those of a labels.json next to our own shards, else each class's index."""
    if "probs" in table.column_names:
        classes = pc.list_value_length(table["probs"])[0].as_py()
    else:
        classes = pc.max(table["label"]).as_py() + 1
    return schema.all_class_names(sources.class_names(source), classes)


def _texts(file: Path, path: str, contents: _Contents, source: sources.Source) -> TextDataset:
    """Return the labeled texts of the signals' samples from a file, in the order of the signals.

    Raises:
        DataError: a sample has no text, or another label there.
    """
    samples = _numbered(dataset.load_samples(file, {}, name=path, to_train=False), contents.class_names)
    for note in samples.notes:
        say("note: {note}", note=note)
    ids = contents.samples["id"].to_pylist()
    samples = replace(samples.take(_found(contents, samples.ids, source, f"texts={path}: no text")), ids=ids)
    wrong = samples.labels != contents.samples["label"].to_numpy()
    if wrong.any():
        labels = contents.samples["label"].to_numpy()
        shown = [f"{ids[row]} ({labels[row]}, here {samples.labels[row]})" for row in wrong.nonzero()[0]]
        raise DataError(f"texts={path}: labels differ from those of {source.path}, id {first_few(shown)}")
    return samples


def _numbered(samples: TextDataset, names: tuple[str, ...]) -> TextDataset:
    """Return texts with the signals' class indices as labels, where these name the signals' classes or indices."""
    own = samples.class_names
    if set(own) <= set(names):
        indices = [names.index(name) for name in own]
    elif set(own) <= set(map(str, range(len(names)))):
        indices = list(map(int, own))
    else:
        return samples
    return replace(samples, class_names=names, labels=np.array(indices, np.int64)[samples.labels])


def _examples(file: Path, path: str, contents: _Contents, source: sources.Source) -> Examples:
    """Return the rows of a file, which need no label, but must have those of the signals if they have any.

    Raises:
        DataError: a row is broken, or a sample of the signals is not among the rows.
    """
    found = tables.read(file, Form(lists=True))
    for row, problem in found.problems.items():
        raise DataError(f"texts={path}, {found.unit} {found.lines[row]}: {problem}")
    if found.names is None:
        raise DataError(f"texts={path} has no header; name its columns in the first line")
    columns = {name: found.named(place) for place, name in enumerate(found.names)}
    listed = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    task = contents.task.task
    if DEFINITIONS[task].unit:
        names = contents.task.label_names or contents.class_names
        own = examples.examples_of(listed, f"texts={path}", task, names)
        Metadata(None, own).check_units(str(source.path), contents.samples, f"texts={path}")
        return own
    given = examples.examples_of(listed, f"texts={path}")
    _found(contents, given.table["id"].astype(str), source, f"texts={path}: no row")
    return given


def _found(contents: _Contents, known: Iterable, source: sources.Source, problem: str) -> np.ndarray:
    """Return the place of each sample of the signals among the `known` ids; raise DataError if one is missing."""
    rows = align.rows(contents.samples["id"], known)
    lost = align.missing(contents.samples["id"], rows)
    if lost:
        theirs = f"{counted(len(lost), 'sample')} of {source.path}, id {first_few(lost)}"
        raise DataError(f"{problem} for {theirs} (its ids: {first_few(known)})")
    return rows


def _log(
    run: Run,
    config: ImportConfig,
    source: sources.Source,
    contents: _Contents,
    texts: TextDataset | Examples | None,
) -> None:
    run.log_config("import_signals", to_yaml(config))
    origin = source.path.resolve()
    run.log_params({"source": origin, "format": source.format})
    names = contents.class_names
    frame = contents.samples.to_pandas()
    run.log_dataset(frame, origin.stem, str(origin), contents.digest, "signals")
    if contents.task.task is not Task.CLASSIFICATION:
        run.log_task(contents.task)
    if isinstance(texts, Examples):
        run.log_bytes(b"".join(tsv.lines(texts.table)), schema.SAMPLES_FILE)
        run.log_bytes(texts.lines, schema.ROWS_FILE)
    if isinstance(texts, TextDataset):
        names = texts.class_names + names[len(texts.class_names) :]
        run.log_dataset(texts.frame(), Path(texts.path).stem, texts.path, texts.digest, "training")
        run.log_bytes(b"".join(tsv.lines(texts.frame())), schema.SAMPLES_FILE)
    if DEFINITIONS[contents.task.task].has_classes:
        run.log_labels(names)
    stays = any(path.suffix == ".parquet" for path in source.files)
    format = "parquet" if stays else schema.chosen_format(schema.AUTO, len(contents.samples))
    for unit, number, table in sources.observations(source):
        if isinstance(texts, TextDataset):
            table = with_planted(table, texts.planted[align.rows(table["id"], texts.ids)])
        for path, content in shards.files(table, unit, number, SHARD_ROWS, format):
            run.log_bytes(content, path)
        run.log_metrics({schema.COMMIT_METRIC: table.num_rows}, number)
