"""Write the chosen samples that have several units, with their new labels, in the form of the training file.

Of our own training that is the file's own form (`data/original.jsonl`), of other frameworks the rows as they were
given.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from datamap import schema
from datamap.data.originals import Original
from datamap.data.rewriting import Change
from datamap.data.units import UnitDataset
from datamap.digests import digest_of
from datamap.errors import ConfigError, TrackingError, raised_as
from datamap.labels.curation import Choice
from datamap.log import say
from datamap.pipeline import next_training
from datamap.pipeline.curated_files import CuratedFile, download, say_unseen
from datamap.pipeline.curated_form import ReadingKeys, reading_keys
from datamap.pipeline.stored_texts import UnitRows, unit_rows
from datamap.schema import Task
from datamap.tasks import rows, units
from datamap.tracking import addresses
from datamap.tracking.run import Run
from datamap.translations import Amount

Changes = Mapping[int, Sequence[Change]]  # {row of a sample: what changes in it}


def curated(source: Run, samples: pd.DataFrame, choice: Choice, levers: str) -> CuratedFile:
    """Return a file of the samples all of whose units are kept, with the labels that the choice gives the units.

    Unchanged parts of a row stay as they are, including other columns.

    Args:
        source: run that the units are of.
        samples: columns id, label and s_label of all units.
        choice: the units that are kept, and their labels.
        levers: keys that decide how many samples are kept, for messages.

    Raises:
        ConfigError: no sample is kept.
        DataError: the file could not be trained on.
        TrackingError: the run has no rows, or they have no labels.
    """
    found = unit_rows(source)
    if found is None or found.given.key is None:
        raise TrackingError(
            f"run {source.run_id}: {schema.ROWS_FILE} has no labels; record with samples= that have them"
        )
    of, positions = units.split(samples["id"])
    place = found.places(of)
    if (place < 0).any():
        raise TrackingError(f"run {source.run_id}: {schema.ROWS_FILE} lacks samples of the run")
    seen, dropped = np.zeros(len(found.ids), bool), np.zeros(len(found.ids), bool)
    seen[place] = True
    dropped[place[~choice.kept]] = True
    kept = seen & ~dropped
    if not kept.any():
        raise ConfigError(f"the rule leaves no sample: change {levers}")
    changed = (choice.labels != samples["label"].to_numpy(object)) & kept[place]
    changes = _changes(source, found, of, positions, changed, choice.labels)
    # Where labels change, it is unknown which ones are planted.
    planted = bool(changed.any() and (samples["s_label"] == schema.DIRTY).any())
    name, content, digest, command = _written(source, found, np.flatnonzero(kept).tolist(), changes, planted)
    counts = {
        "samples_before": int(seen.sum()),
        "samples": int(kept.sum()),
        "relabelled": int(changed.sum()),
    }
    say(
        "{file}: {samples:,} of {samples_before:,} samples, {labels} changed in {rows}, digest {digest}",
        file=name,
        labels=Amount(counts["relabelled"], "label"),
        rows=Amount(len(changes), "sample"),
        digest=digest,
        **counts,
    )
    say_unseen(int((~seen).sum()))
    frame = pd.DataFrame({"id": found.ids.to_numpy(zero_copy_only=False)[kept]})
    return CuratedFile(name, content, frame, digest, counts, command)


def _written(
    source: Run, found: UnitRows, kept: list[int], changes: Changes, planted: bool
) -> tuple[str, bytes, str, Callable[[str], str]]:
    """Return a file's name, bytes and digest, and what returns the next command of its address."""
    original = _original(source, found)
    if original is None:
        lines = source.artifacts.read(schema.ROWS_FILE).splitlines(keepends=True)
        for row in changes:
            record = _relabeled(source, found, row, changes[row])
            lines[row] = json.dumps(record, ensure_ascii=False).encode() + b"\n"
        content = b"".join(lines[row] for row in kept)
        name, digest = schema.CURATED_ROWS_FILE, digest_of(content)[:16]
        return name, content, digest, lambda address: _command(source, address, None, ())
    ids = [found.rows[row].get("id") for row in range(len(found.rows))]
    renumbered = original.layout.numbered and [ids[row] for row in kept] != list(range(len(kept)))
    content = original.written(kept, changes, ids if renumbered else None)
    name = f"{schema.CURATED_STEM}{original.layout.suffix}"
    if planted:
        say("note: it is unknown which changed labels are right: s_label will not be read again")
    id_name = original.id_name if renumbered else None
    keys, read = reading_keys(source, original.layout, id_name, planted, content)
    _refuse_other(source, found, read, kept, changes)
    gone = tuple(name for name in _names(source) if name not in read.class_names)
    return name, content, read.digest, lambda address: _command(source, address, keys, gone)


def _original(source: Run, found: UnitRows) -> Original | None:
    """Return the training file's text of each sample, if our own training logged it."""
    content = source.artifacts.find(schema.ORIGINAL_FILE)
    if content is None:
        return None
    with raised_as(TrackingError, f"run {source.run_id}: {schema.ORIGINAL_FILE} is damaged", ValueError):
        original = Original.loads(content)
        if len(original.rows) != len(found.ids):
            raise ValueError(f"{len(original.rows)} rows for {len(found.ids)} samples")
    return original


def _refuse_other(source: Run, found: UnitRows, read: UnitDataset, kept: list[int], changes: Changes) -> None:
    """Raise RuntimeError if a file does not hold the samples and labels that it was made of."""
    for number, row in enumerate(kept):
        new, record = _relabeled(source, found, row, changes.get(row, ())), read.record(number)
        key = "tags" if read.words is not None else "labels"
        same = record[key] == new[key] if read.words is not None else set(record[key]) == set(new[key])
        if record["id"] != new["id"] or not same:
            raise RuntimeError(f"sample {new['id']} is not read back as it was written")


def _names(source: Run) -> list[str]:
    return list(source.task().label_names or source.class_names())


def _command(source: Run, address: str, keys: ReadingKeys | None, gone: Sequence[str]) -> str:
    """Return the command that trains on the file as the source run was trained, or that fetches it."""
    if not source.overrides("train"):
        return download(source, address)
    data = {"data": "file", "data.task": source.task().task.value, "data.path": address}
    data |= dict(option.split("=", 1) for option in addresses.options(source.tracking_uri))
    data |= keys.options if keys else {}
    return next_training.command(source, data, list(gone), keys.fits_others if keys else None)


def _changes(
    source: Run, found: UnitRows, of: pa.Array, positions: np.ndarray, changed: np.ndarray, labels: np.ndarray
) -> Changes:
    """Return {row: what changes in it} of the rows that have a unit with another label."""
    names, chosen = _names(source), np.flatnonzero(changed)
    samples = of.take(chosen)
    tokens = source.task().task is Task.TOKENS
    if tokens:
        row, place = found.tokens_of(samples, np.arange(len(samples)), positions[chosen])
    else:
        row, place = found.places(samples), positions[chosen]
    made: dict[int, list[Change]] = {}
    for one, at, label in zip(row.tolist(), place.tolist(), labels[chosen], strict=True):
        change = Change(at, label) if tokens else Change(at, names[at], label == "present")
        made.setdefault(one, []).append(change)
    return made


def _relabeled(source: Run, found: UnitRows, row: int, changes: Sequence[Change]) -> dict[str, Any]:
    """Return a row of the run's rows with its changes."""
    values, key = dict(found.rows[row]), str(found.given.key)
    for place, name, present in changes:
        if present is None:
            values[key] = _with_tag(values[key], place, name, _names(source))
        else:
            values[key] = _with_label(values[key], place, present, _names(source))
    return values


def _with_tag(tags: list, place: int, label: str, names: list[str]) -> list:
    """Return a sample's tags with another one in a place, as a name or as an index as the others are."""
    old = list(tags)
    old[place] = label if isinstance(old[place], str) else names.index(label)
    return old


def _with_label(given: list, index: int, present: bool, names: list[str]) -> list:
    """Return a sample's labels, names or one 0 or 1 for each, with or without one of them."""
    if rows.is_vector(given, names):
        old = list(given)
        old[index] = type(old[index])(present)
        return old
    left = [name for name in given if name != names[index]]
    return [*left, names[index]] if present else left
