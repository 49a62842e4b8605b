"""Signals that lie in files, of any format: found, read and checked, one observation after the other.

Only one observation is held at a time, besides the ids and labels of the first.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datamap import schema
from datamap.errors import SignalError, first_few
from datamap.importing import foreign
from datamap.importing.foreign import Observation
from datamap.signals import align, shards


class Source(NamedTuple):
    """Files of signals: `format` is a key of `FORMATS`, `files` are pathlib Paths, sorted."""

    path: Path
    format: str
    files: list


class Format(NamedTuple):
    """A format of files, told by their names.

    `read(files, note)` yields `foreign.Observation`s; `folder` is where the files usually lie.
    """

    names: str
    is_name: Callable
    folder: str
    read: Callable


def find(path, format="auto"):
    """The signals at a path.

    Args:
        path: a file or a folder; also one that holds the folder where such files usually lie.
        format: of `FORMATS`; auto = by the files' names, any other single file being a tutorial's.
    Returns:
        `Source`.
    Raises:
        SignalError: nothing is there, or files of several formats.
    """
    path = Path(path)
    if not path.exists():
        raise SignalError(f"{path}: no such file or folder (looked in {Path.cwd()})")
    if path.is_file():
        there = {name: [path] for name, known in FORMATS.items() if known.is_name(path.name)}
        there = {"tutorial": [path]} if format == "tutorial" or not there else there
    else:
        there = {name: files for name, known in FORMATS.items() if (files := _files_in(path, known))}
    wanted = {name: files for name, files in there.items() if format in ("auto", name)}
    if not wanted:
        names = ", ".join(f"{name} {known.names}" for name, known in FORMATS.items())
        raise SignalError(f"{path}: nothing of format {format}; files are told by their names: {names}")
    if len(wanted) > 1:
        raise SignalError(f"{path}: files of several formats; choose one: format={' or '.join(wanted)}")
    return Source(path, *next(iter(wanted.items())))


def _files_in(folder, known):
    """Files of a format in a folder, or else in the folder below it where they usually are."""
    for place in (folder, folder / known.folder):
        found = [p for p in place.iterdir() if known.is_name(p.name)] if place.is_dir() else []
        if found:
            return sorted(found)
    return []


def digest(source):
    """SHA-256 over the bytes of all files, the first 16 hex digits."""
    total = hashlib.sha256()
    for path in source.files:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                total.update(block)
    return total.hexdigest()[:16]


def observations(source, note=lambda text: None):
    """Yield (unit, number, arrow table) of each whole observation, in order.

    Args:
        source: `Source`.
        note: called with a line of text about what is left out: the end of a killed run's file.
    Raises:
        SignalError: a malformed record, or observations of different samples, labels or classes.
    """
    first, classes = None, None
    for found in FORMATS[source.format].read(source.files, note):
        _refuse_repeated(found)
        classes = _classes(found, classes)
        if first is None:
            first = found._replace(table=found.table.select(["id", "label"]).combine_chunks(), lines=None)
        elif not _agrees(found, first):
            count, total = found.table.num_rows, first.table.num_rows
            note(
                f"observation {found.number} has only {count:,} of {total:,} samples (a killed run?): left out"
            )
            return
        yield found.unit, found.number, found.table


def class_names(source):
    """Class names by index, of the labels.json that lies by our own shards or above; () where there is none."""
    folder = source.files[0].parent
    for path in (folder / schema.LABELS_FILE, folder.parent / schema.LABELS_FILE):
        if source.format == "datamap" and path.is_file():
            try:
                return tuple(map(str, json.loads(path.read_bytes()).values()))
            except (ValueError, AttributeError) as error:
                raise SignalError(f"{path} is damaged: not {{class index: class name}}") from error
    return ()


def _refuse_repeated(found):
    ids = found.table["id"]
    if pc.count_distinct(ids).as_py() == len(ids):
        return
    seen = set()
    for row, key in enumerate(ids.to_pylist()):
        if key in seen:
            raise SignalError(f"{found.place(row)}: id {key} occurs twice in observation {found.number}")
        seen.add(key)


def _classes(found, expected):
    """Number of classes, the same in every record; None where an observation has no `probs`."""
    if "probs" not in found.table.column_names:
        return expected
    lengths = pc.list_value_length(found.table["probs"]).to_numpy()
    expected = expected or lengths[0]
    _refuse(found, lengths != expected, f"another number of classes than the first record's {expected}")
    labels = found.table["label"].to_numpy()
    _refuse(found, (labels < 0) | (labels >= expected), f"label is not in 0..{expected - 1}")
    return expected


def _refuse(found, wrong, problem):
    if wrong.any():
        row = wrong.argmax()
        raise SignalError(f"{found.place(row)}: {problem}, id {found.table['id'][row]}")


def _agrees(found, first):
    """Whether an observation has the first one's samples with their labels; False where its file ends too early."""
    ids, expected = found.table["id"].combine_chunks(), first.table["id"].combine_chunks()
    if ids.type != expected.type:
        raise SignalError(f"{found.place(0)}: ids are {ids.type}, in the first observation {expected.type}")
    rows = align.rows(ids, expected)
    _refuse(found, rows < 0, "sample is not in the first observation")
    labels = first.table["label"].take(rows).to_numpy()
    _refuse(found, found.table["label"].to_numpy() != labels, "another label than in the first observation")
    lost = align.missing(expected, align.rows(expected, ids)) if len(ids) < len(expected) else []
    if lost and not found.last:
        lacks = f"observation {found.number} ends and lacks sample {first_few(lost)}"
        raise SignalError(f"{found.place(len(ids) - 1)}: {lacks}")
    return not lost


def _read_shards(files, note):
    """Yield the observations of our own shards, checked against their checksums where those are there."""
    found = defaultdict(dict)
    for path in files:
        shard = schema.parse_shard(f"{schema.SIGNALS_DIR}/{path.name}")
        found[shard.number][shard] = path
    for number, paths in sorted(found.items()):
        _refuse_lost(number, paths)
        try:
            tables = [_shard_table(shard, path) for shard, path in sorted(paths.items())]
            table = shards.concat(tables)
        except SignalError as error:  # which names the artifact of a run
            path = files[0].parent
            raise SignalError(str(error).replace(f"{schema.SIGNALS_DIR}/", f"{path}/")) from error
        observation = Observation(number, table, files[0].parent, unit=next(iter(paths)).unit)
        _refuse_holes(observation)
        yield observation


def _refuse_lost(number, paths):
    places = sorted((shard.unit, shard.count, shard.index) for shard in paths)
    unit, count, _ = places[0]
    if places != [(unit, count, index) for index in range(count)]:
        there = first_few(sorted(map(str, paths.values())))
        raise SignalError(f"observation {number}: a shard is missing, or there twice (there: {there})")


def _shard_table(shard, path):
    sums = path.with_name(Path(shard.checksums_path).name)
    if sums.is_file():
        digests = shards.parse_checksums(sums.read_bytes(), shard.checksums_path)
        if shard.path not in digests:
            raise SignalError(f"{path} is not in {sums.name}")
        shard = shard._replace(sha256=digests[shard.path])
    return shards.decode(path.read_bytes(), shard, schema.SIGNAL_COLUMNS)


def _refuse_holes(found):
    """Raise SignalError for values that are missing or not finite: a shard of ours cannot hold them."""
    for name in found.table.column_names:
        column = found.table[name]
        _refuse(found, column.is_null().to_numpy(), f"{name} is missing")
        rows = np.arange(len(column))
        if pa.types.is_list(column.type):
            rows, column = pc.list_parent_indices(column).to_numpy(), pc.list_flatten(column)
        if pa.types.is_floating(column.type):
            wrong = np.zeros(found.table.num_rows, bool)
            wrong[rows[~np.isfinite(column.to_numpy())]] = True
            _refuse(found, wrong, f"{name} is not finite")


FORMATS = {
    "tutorial": Format("output_data.json", "output_data.json".__eq__, "outputs", foreign.read_tutorial),
    "datamap": Format(
        "epoch_0001-00000-of-00001.jsonl", schema.parse_shard, schema.SIGNALS_DIR, _read_shards
    ),
    "cartography": Format(
        "dynamics_epoch_0.jsonl", foreign.DYNAMICS.fullmatch, foreign.DYNAMICS_DIR, foreign.read_cartography
    ),
}
