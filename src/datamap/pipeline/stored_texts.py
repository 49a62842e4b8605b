"""Read the texts of a run's samples, and those of their units where samples have several."""

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datamap import schema
from datamap.errors import TrackingError, raised_as
from datamap.schema import Task
from datamap.signals import align
from datamap.summaries import tsv
from datamap.tasks import rows, units
from datamap.tasks.definitions import DEFINITIONS
from datamap.tracking.run import Run


def texts_of(run: Run, ids: Iterable) -> dict[str, list[str]]:
    """Return {column: texts of these samples or units, in order}; {} where the run has no texts."""
    return {name: column.to_pylist() for name, column in text_columns(run, ids).items()}


def text_columns(run: Run, ids: Iterable) -> dict[str, pa.ChunkedArray]:
    """Return {column: texts of these samples or units} as arrow columns.

    A token is shown in brackets within its text. The text of a label begins with the label's name in brackets.
    """
    content = run.artifacts.find(schema.SAMPLES_FILE)
    if content is None:
        return {}
    task = run.task()
    if not DEFINITIONS[task.task].unit:
        return tsv.text_columns(content, ids)
    samples, positions = units.split(ids)
    if task.task is Task.TOKENS:
        found = unit_rows(run)
        if found is not None:
            return {"text_a": pa.chunked_array([pa.array(found.marked(samples, positions), pa.string())])}
    columns = tsv.text_columns(content, samples)
    if task.label_names and "text_a" in columns:
        names = pa.array(schema.all_class_names(task.label_names, int(positions.max(initial=0)) + 1))
        marks = pc.binary_join_element_wise("[", names.take(pa.array(positions)), "] ", "")
        columns["text_a"] = pc.binary_join_element_wise(marks, columns["text_a"], "")
    return columns


def sample_texts(run: Run, samples: Iterable) -> dict[str, list[str]]:
    """Return {column: whole texts of these samples}; {} where the run has no texts."""
    content = run.artifacts.find(schema.SAMPLES_FILE)
    return {} if content is None else tsv.texts_of(content, samples)


class UnitRows(NamedTuple):
    """Hold the rows of a training file whose samples have several units, as the run has them.

    Attributes:
        ids: arrow strings (samples,).
        rows: the rows as dicts.
        given: what they say of the units (`rows.read`).
    """

    ids: pa.Array
    rows: list[dict[str, Any]]
    given: rows.Given

    def places(self, samples: pa.Array) -> np.ndarray:
        """Return the row of each unit's sample, −1 for none."""
        return align.rows(samples, self.ids)

    def tokens_of(self, samples: pa.Array, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (row of the sample, place of the token in it) of each unit; −1 for none."""
        found, place = self.places(samples), np.full(len(positions), -1)
        tagged = [
            rows.tagged_places(row, self.given.key, len(tokens))
            for row, tokens in zip(self.rows, self.given.tokens, strict=True)
        ]
        counts = np.array([len(one) for one in tagged], np.int64)
        starts = np.cumsum(counts) - counts
        known = (found >= 0) & (positions < counts[found])
        flat = np.concatenate([*tagged, np.zeros(0, np.int64)])
        place[known] = flat[starts[found[known]] + positions[known]]
        return found, place

    def marked(self, samples: pa.Array, positions: np.ndarray) -> list[str]:
        """Return the text around each token, with the token in brackets; "" for an unknown one."""
        found, places = self.tokens_of(samples, positions)
        return [
            rows.marked(self.given.tokens[row], place) if place >= 0 else ""
            for row, place in zip(found.tolist(), places.tolist(), strict=True)
        ]


def unit_rows(run: Run) -> UnitRows | None:
    """Return the rows of the run's training file; None if it has none.

    Raises:
        TrackingError: the rows are damaged, or not those of the run's samples.
    """
    lines, content = run.artifacts.find(schema.ROWS_FILE), run.artifacts.find(schema.SAMPLES_FILE)
    if lines is None or content is None:
        return None
    task = run.task()
    names = task.label_names or run.class_names() or None
    ids = tsv.text_table(content, schema.SAMPLES_FILE, ["id"])["id"].combine_chunks()
    with raised_as(TrackingError, f"run {run.run_id}: {schema.ROWS_FILE} is damaged", ValueError):
        found = [json.loads(line) for line in lines.splitlines()]
        if len(found) != len(ids) or not all(isinstance(row, dict) for row in found):
            raise ValueError(f"{len(found)} rows for {len(ids)} samples")
    return UnitRows(ids, found, rows.read(found, task.task, names, schema.ROWS_FILE))
