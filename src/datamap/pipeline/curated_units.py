"""Write the chosen samples that have several units: the rows as they were given, with their new labels."""

import json
from typing import Any

import numpy as np
import pandas as pd

from datamap import schema
from datamap.digests import digest_of
from datamap.errors import ConfigError, TrackingError
from datamap.labels.curation import Choice
from datamap.log import say
from datamap.pipeline import next_training
from datamap.pipeline.curated_files import CuratedFile, download
from datamap.pipeline.stored_texts import unit_rows
from datamap.schema import Task
from datamap.tasks import rows, units
from datamap.tracking import addresses
from datamap.tracking.run import Run
from datamap.translations import Amount


def curated(source: Run, samples: pd.DataFrame, choice: Choice) -> CuratedFile:
    """Return the rows of the samples all of whose units are kept, with the labels that the choice gives the units.

    Rows in which nothing changes stay byte for byte as the run has them.

    Args:
        source: run that the units are of.
        samples: columns id and label of all units.
        choice: the units that are kept, and their labels.

    Raises:
        ConfigError: no sample is kept.
        TrackingError: the run has no rows, or they have no labels.
    """
    found, lines = unit_rows(source), source.artifacts.read(schema.ROWS_FILE).splitlines(keepends=True)
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
        raise ConfigError("the rule leaves no sample; choose another (keep= where= share= threshold=)")
    changed = (choice.labels != samples["label"].to_numpy(object)) & kept[place]
    new = _relabeled(source, found, of, positions, changed, choice.labels)
    content = b"".join(new.get(row, lines[row]) for row in np.flatnonzero(kept).tolist())
    counts = {
        "samples_before": int(seen.sum()),
        "samples": int(kept.sum()),
        "relabelled": int(changed.sum()),
    }
    digest = digest_of(content)[:16]
    say(
        "{file}: {samples:,} of {samples_before:,} samples, {labels} changed in {rows}, digest {digest}",
        file=schema.CURATED_ROWS_FILE,
        labels=Amount(counts["relabelled"], "label"),
        rows=Amount(len(new), "sample"),
        digest=digest,
        samples=counts["samples"],
        samples_before=counts["samples_before"],
    )
    if not seen.all():
        unseen = "note: {rows} of the training file have no signals, and are left out"
        say(unseen, rows=Amount(int((~seen).sum()), "row"))
    frame = pd.DataFrame({"id": found.ids.to_numpy(zero_copy_only=False)[kept]})
    return CuratedFile(
        schema.CURATED_ROWS_FILE, content, frame, digest, counts, lambda address: _command(source, address)
    )


def _command(source, address):
    """Return the command that trains on the file as the source run was trained, or that fetches it."""
    if not source.overrides("train"):
        return download(source, address)
    data = {"data": "file", "data.task": source.task().task.value, "data.path": address}
    data |= dict(option.split("=", 1) for option in addresses.options(source.tracking_uri))
    return next_training.command(source, data, [])


def _relabeled(source, found, of, positions, changed, labels):
    """Return {row: its line with new labels} of the rows that have a unit with another label."""
    task, key = source.task(), found.given.key
    names = list(task.label_names or source.class_names())
    chosen = np.flatnonzero(changed)
    samples = of.take(chosen)
    if task.task is Task.TOKENS:
        row, place = found.tokens_of(samples, positions[chosen])
    else:
        row, place = found.places(samples), positions[chosen]
    lines: dict[int, bytes] = {}
    new: dict[int, dict[str, Any]] = {}
    for one, at, label in zip(row.tolist(), place.tolist(), labels[chosen], strict=True):
        old = new.setdefault(one, dict(found.rows[one]))
        old[key] = (
            _with_tag(old[key], at, label, names)
            if task.task is Task.TOKENS
            else _with_label(old[key], at, label == "present", names)
        )
    for one, values in new.items():
        lines[one] = json.dumps(values, ensure_ascii=False).encode() + b"\n"
    return lines


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
