"""Find, read and check files of signals in any format, one observation after the other.

Memory holds one observation at a time, and the ids and labels of the first.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datamap import documents, schema
from datamap.digests import digest_of
from datamap.errors import SignalError, first_few, raised_as
from datamap.importing import foreign
from datamap.importing.foreign import Note, Observation
from datamap.signals import align, contract, shards
from datamap.translations import Amount, translate

T = TypeVar("T")


class Source(NamedTuple):
    """Name files of signals: `format` is a key of `FORMATS`, `files` are sorted."""

    path: Path
    format: str
    files: list[Path]


class Format(NamedTuple):
    """Describe a format of files, which is recognized by their names.

    Attributes:
        names: an example of a name, for messages.
        is_name: tells whether a name belongs to the format.
        folder: the folder where such files usually are.
        read: called with (files, note), yields the observations.
    """

    names: str
    is_name: Callable[[str], object]
    folder: str
    read: Callable[[list[Path], Note], Iterator[Observation]]


def find(path: Path | str, format: str = "auto") -> Source:
    """Find the signals at a path.

    Args:
        path: a file or folder, or a folder that contains the usual folder of such files.
        format: a key of `FORMATS`; auto recognizes it by the files' names, and treats any other file as a tutorial's.

    Raises:
        SignalError: the path is missing or unreadable, or holds no signals, or files of several formats.
    """
    path = Path(path)
    with raised_as(SignalError, path, OSError, UnicodeEncodeError):
        str(path).encode()  # the run says where its signals are from
        there = _there(path, format)
    wanted = {name: files for name, files in there.items() if format in ("auto", name)}
    if not wanted:
        names = ", ".join(f"{name} {known.names}" for name, known in FORMATS.items())
        raise SignalError(
            f"{path} has no signals (format={format}); files are recognized by their names: {names}"
        )
    for file in (file for files in wanted.values() for file in files):
        _refuse_endless(file)
    if len(wanted) > 1:
        raise SignalError(f"{path} has files of several formats; choose one: format={' or '.join(wanted)}")
    return Source(path, *next(iter(wanted.items())))


def _refuse_endless(path: Path) -> None:
    """Raise SignalError for a pipe, a device or a file of size 0; endless files of /proc have that size."""
    if not path.is_file():
        raise SignalError(f"{path}: not a regular file")
    if not path.stat().st_size:
        raise SignalError(f"{path}: no records")


def _there(path: Path, format: str) -> dict[str, list[Path]]:
    """Return {format: its files} at a path."""
    if not path.exists():
        raise SignalError(f"{path}: no such file or folder (looked in {Path.cwd()})")
    if path.is_dir():
        return {name: files for name, known in FORMATS.items() if (files := _files_in(path, known))}
    there = {name: [path] for name, known in FORMATS.items() if known.is_name(path.name)}
    return {"tutorial": [path]} if format == "tutorial" or not there else there


def _files_in(path: Path, known: Format) -> list[Path]:
    """Return the files of a format in a folder, or else in its subfolder where they usually are."""
    for folder in (path, path / known.folder):
        found = [p for p in folder.iterdir() if known.is_name(p.name)] if folder.is_dir() else []
        if found:
            return sorted(found)
    return []


def digest(source: Source) -> str:
    """Return the first 16 hex digits of the SHA-256 over the bytes of all files.

    Raises:
        SignalError: a file is unreadable.
    """
    with raised_as(SignalError, source.path):
        return digest_of(*source.files)[:16]


def observations(source: Source, note: Note = lambda text: None) -> Iterator[tuple[str, int, pa.Table]]:
    """Yield (unit, number, arrow table) of each complete observation, in order.

    Args:
        source: the files.
        note: called with a line of text about what is left out, such as the end of a killed run's file.

    Raises:
        SignalError: a record is malformed, or observations have different samples, labels, planted kinds or classes.
    """
    first: Observation | None = None
    classes: int | None = None
    for found in FORMATS[source.format].read(source.files, note):
        _refuse_repeated(found)
        classes = _classes(found, classes)
        if first is None:
            first = found._replace(table=_samples(found))
        elif not _agrees(found, first):
            count, total = found.table.num_rows, first.table.num_rows
            few = "ignoring observation {number}, which has only {count:,} of {records} (was a run killed?)"
            note(translate(few, number=found.number, count=count, records=Amount(total, "record")))
            return
        yield found.unit, found.number, found.table


def class_names(source: Source) -> tuple[str, ...]:
    """Return the class names in the labels.json next to our own shards or one folder above; () if there is none.

    Raises:
        SignalError: the file is damaged, or gives two classes one name.
    """
    found: tuple[str, ...] = _beside(source, schema.LABELS_FILE, documents.labels, ())
    twice = next((name for name, count in Counter(found).items() if count > 1), None)
    if twice is not None:
        raise SignalError(f"{source.path}: {schema.LABELS_FILE} names two classes {twice!r}; rename one")
    return found


def task(source: Source) -> documents.RecordedTask:
    """Return the task in the task.json next to our own shards or one folder above; classification if there is none.

    Raises:
        SignalError: the file is damaged.
    """
    return _beside(source, schema.TASK_FILE, documents.task, documents.RecordedTask())


def _beside(source: Source, name: str, parse: Callable[[bytes], T], missing: T) -> T:
    folder = source.files[0].parent
    for path in (folder / name, folder.parent / name):
        if source.format == "datamap" and path.is_file():
            with raised_as(SignalError, path, OSError, ValueError):
                return parse(path.read_bytes())
    return missing


def _refuse_repeated(observation: Observation) -> None:
    ids = observation.table["id"]
    if pc.count_distinct(ids).as_py() < len(ids):
        row = int(ids.to_pandas().duplicated().argmax())
        raise SignalError(
            f"{observation.where(row)}: id {ids[row]} occurs twice in observation {observation.number}"
        )


def _classes(observation: Observation, expected: int | None) -> int | None:
    """Return the number of classes, equal in every record; None if no observation has `probs`."""
    if "probs" not in observation.table.column_names:
        return expected
    lengths = pc.list_value_length(observation.table["probs"]).to_numpy()
    expected = int(expected or lengths[0])
    _refuse(
        observation, lengths != expected, f"the number of classes differs from the first record's {expected}"
    )
    labels = observation.table["label"].to_numpy()
    _refuse(observation, (labels < 0) | (labels >= expected), f"label is not in 0..{expected - 1}")
    return expected


def _refuse(observation: Observation, wrong: np.ndarray, problem: str) -> None:
    if wrong.any():
        row = int(wrong.argmax())
        raise SignalError(f"{observation.where(row)}: {problem}, id {observation.table['id'][row]}")


def _samples(observation: Observation) -> pa.Table:
    """Return what all observations must agree on: id, label and planted kind (normal if unknown)."""
    table = observation.table
    if "noisy_label" in table.column_names:
        kinds = table["noisy_label"].to_numpy()
        _refuse(observation, ~np.isin(kinds, list(schema.KINDS)), "noisy_label is not 0, 1 or 2")
    else:
        kinds = np.zeros(table.num_rows, np.int64)
    return pa.table({"id": table["id"], "label": table["label"], "noisy_label": kinds}).combine_chunks()


def _agrees(observation: Observation, first: Observation) -> bool:
    """Tell whether an observation has all samples of the first one; raise SignalError if a sample contradicts it.

    False means that the file ends too early.
    """
    samples = _samples(observation)
    ids, expected = samples["id"].combine_chunks(), first.table["id"].combine_chunks()
    if ids.type != expected.type:
        raise SignalError(
            f"{observation.where(0)}: ids are {ids.type}, in the first observation {expected.type}"
        )
    rows = align.rows(ids, expected)
    _refuse(observation, rows < 0, "sample is not in the first observation")
    for name, words in (("label", "label"), ("noisy_label", "planted kind (noisy_label)")):
        before = first.table[name].take(rows).to_numpy()
        _refuse(
            observation, samples[name].to_numpy() != before, f"a {words} other than in the first observation"
        )
    lost = align.missing(expected, align.rows(expected, ids)) if len(ids) < len(expected) else []
    if lost and not observation.last:
        lacks = f"observation {observation.number} ends without sample {first_few(lost)}"
        raise SignalError(f"{observation.where(len(ids) - 1)}: {lacks}")
    return not lost


def _read_shards(files: list[Path], note: Note) -> Iterator[Observation]:
    """Yield the observations of our own shards, checked against their checksums if there are any."""
    found: dict[int, dict[schema.Shard, Path]] = defaultdict(dict)
    for path in files:
        shard = schema.parse_shard(path.name)
        if shard:
            found[shard.number][shard] = path
    folder = files[0].parent
    for number, paths in sorted(found.items()):
        _refuse_lost(number, paths)
        contents = {shard: _content(shard, path) for shard, path in sorted(paths.items())}
        try:
            table = shards.concat(_shard_table(shard, *content) for shard, content in contents.items())
        except SignalError as error:  # its message names an artifact
            raise SignalError(str(error).replace(f"{schema.SIGNALS_DIR}/", f"{folder}/")) from error
        observation = Observation(number, table, folder, unit=next(iter(paths)).unit)
        _refuse_holes(observation)
        yield observation


def _refuse_lost(number: int, paths: dict[schema.Shard, Path]) -> None:
    first, *_ = sorted(paths)
    expected = {first._replace(index=index) for index in range(min(first.count, len(paths)))}
    if first.count != len(paths) or set(paths) != expected:
        there = first_few(sorted(map(str, paths.values())))
        raise SignalError(f"observation {number}: a shard is missing or duplicated (found: {there})")


def _content(shard: schema.Shard, path: Path) -> tuple[bytes, bytes | None]:
    """Return the bytes of a shard, and of the checksums next to it."""
    sums = path.with_name(Path(shard.checksums_path).name)
    with raised_as(SignalError, path):
        return path.read_bytes(), sums.read_bytes() if sums.is_file() else None


def _shard_table(shard: schema.Shard, content: bytes, sums: bytes | None) -> pa.Table:
    if sums is not None:
        digests = shards.parse_checksums(sums, shard.checksums_path)
        if shard.path not in digests:
            raise SignalError(f"{shard.path} is not in {Path(shard.checksums_path).name}")
        shard = shard._replace(sha256=digests[shard.path])
    return shards.decode(content, shard, _is_imported)


def _is_imported(key: str, kind: pa.DataType) -> bool:
    """Tell whether a key is imported: all of the contract, and further keys that the summary uses."""
    return key in schema.SIGNAL_COLUMNS or contract.is_used(key, kind)


def _refuse_holes(observation: Observation) -> None:
    """Raise SignalError for values that are missing or not finite, which no shard of ours holds."""
    for name in observation.table.column_names:
        column = observation.table[name]
        _refuse(observation, column.is_null().to_numpy(), f"{name} is missing")
        rows = np.arange(len(column))
        if pa.types.is_list(column.type):
            rows, column = pc.list_parent_indices(column).to_numpy(), pc.list_flatten(column)
        if pa.types.is_floating(column.type):
            wrong = np.zeros(observation.table.num_rows, bool)
            wrong[rows[~np.isfinite(column.to_numpy())]] = True
            _refuse(observation, wrong, f"{name} is not finite")


FORMATS = {
    "tutorial": Format("output_data.json", "output_data.json".__eq__, "outputs", foreign.read_tutorial),
    "datamap": Format(
        "epoch_0001-00000-of-00001.jsonl", schema.parse_shard, schema.SIGNALS_DIR, _read_shards
    ),
    "cartography": Format(
        "dynamics_epoch_0.jsonl", foreign.DYNAMICS.fullmatch, foreign.DYNAMICS_DIR, foreign.read_cartography
    ),
}
