"""Read the texts of a run's samples, and those of their units where samples have several."""

import functools
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datamap import schema
from datamap.errors import TrackingError, raised_as
from datamap.labels import blocks
from datamap.pipeline.run_access import definition_of
from datamap.schema import Task
from datamap.signals import align
from datamap.summaries import tsv
from datamap.tasks import rows, units
from datamap.tasks.rows import Given
from datamap.tracking.run import Run


class Texts:
    """Show the texts of a run's samples or units; the run's files are read once.

    A token is shown in brackets within its text. The text of a label begins with the label's name in brackets.

    Args:
        run: a run, with or without texts.
    """

    def __init__(self, run: Run) -> None:
        self.rows = unit_rows(run) if run.task().task is Task.TOKENS else None
        content = None if self.rows else run.artifacts.find(schema.SAMPLES_FILE)
        self._whole = None if content is None else tsv.texts_by_row(content)
        self._are_units = bool(definition_of(run).unit)
        self._labels = run.task().label_names

    def reader(self, ids: Iterable) -> Callable[[np.ndarray], dict[str, pa.ChunkedArray]]:
        """Return a function from rows of `ids` to {column: texts of these samples or units} as arrow columns.

        It returns {} where the run has no texts. Those of all units of a long text would take many times its memory.
        """
        if self.rows is not None:
            tokens = self.rows
            own, places = tokens.tokens_of(*units.grouped(ids))
            return lambda rows: {"text_a": tokens.marked(own[rows], places[rows])}
        if self._whole is None:
            return lambda rows: {}
        known, texts = self._whole
        if not self._are_units:
            own = align.rows(ids, known)
            return lambda rows: texts(own[rows])
        samples, groups, positions = units.grouped(ids)
        own = align.rows(samples, known).astype(np.int32)[groups]
        return lambda rows: self._marked(texts(own[rows]), positions[rows])

    def _marked(
        self, columns: dict[str, pa.ChunkedArray], positions: np.ndarray
    ) -> dict[str, pa.ChunkedArray]:
        """Return the texts of labels, the first of each with the label's name before it."""
        if self._labels and "text_a" in columns:
            names = pa.array(schema.all_class_names(self._labels, int(positions.max(initial=0)) + 1))
            marks = pc.binary_join_element_wise("[", names.take(pa.array(positions)), "] ", "")
            columns["text_a"] = pc.binary_join_element_wise(marks, columns["text_a"], "")
        return columns

    def columns(self, ids: Iterable) -> dict[str, pa.ChunkedArray]:
        """Return {column: texts of these samples or units, in order} as arrow columns; {} where there are none."""
        found = align.array(ids)
        return self.reader(found)(np.arange(len(found)))

    def lists(self, ids: Iterable) -> dict[str, list[str]]:
        """Return the same as lists."""
        return {name: column.to_pylist() for name, column in self.columns(ids).items()}


def sample_texts(run: Run, samples: Iterable) -> dict[str, list[str]]:
    """Return {column: whole texts of these samples}; {} where the run has no texts."""
    content = run.artifacts.find(schema.SAMPLES_FILE)
    return {} if content is None else tsv.texts_of(content, samples)


@dataclass(frozen=True)
class UnitRows:
    """Hold the rows of a training file whose samples have several units, as the run has them.

    Attributes:
        ids: arrow strings (samples,).
        rows: the rows as dicts.
        given: the tokens and labels of their units (`rows.read`).
    """

    ids: pa.Array
    rows: list[dict[str, Any]]
    given: Given

    @functools.cached_property
    def _tagged(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the places of all tokens that have a tag, where each row's begin there, and how many it has."""
        tagged = [
            rows.tagged_places(row, self.given.key, len(tokens)).astype(np.int32)
            for row, tokens in zip(self.rows, self.given.tokens, strict=True)
        ]
        counts = np.array([len(one) for one in tagged], np.int64)
        return np.concatenate([*tagged, np.zeros(0, np.int32)]), np.cumsum(counts) - counts, counts

    def places(self, samples: pa.Array) -> np.ndarray:
        """Return the row of each unit's sample, −1 for none."""
        return align.rows(samples, self.ids)

    def tokens_of(
        self, samples: pa.Array, groups: np.ndarray, positions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return (row of the sample, place of the token in it) of each unit (`units.grouped`), int32; −1 for none."""
        flat, starts, counts = self._tagged
        found, place = self.places(samples).astype(np.int32)[groups], np.full(len(positions), -1, np.int32)
        known = (found >= 0) & (positions < counts[found])
        place[known] = flat[starts[found[known]] + positions[known]]
        return found, place

    def marked(self, samples: np.ndarray, places: np.ndarray) -> pa.ChunkedArray:
        """Return the text around each token (`tokens_of`), with the token in brackets; "" for an unknown one."""
        parts = []
        for start in range(0, len(places), blocks.ROWS):
            some = slice(start, start + blocks.ROWS)
            shown = (
                rows.marked(self.given.tokens[row], place) if place >= 0 else ""
                for row, place in zip(samples[some].tolist(), places[some].tolist(), strict=True)
            )
            parts.append(pa.array(shown, pa.string()))
        return pa.chunked_array(parts, pa.string())


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
        shared: dict[str, str] = {}
        found = [_sharing(json.loads(line), shared) for line in lines.splitlines()]
        if len(found) != len(ids) or not all(isinstance(row, dict) for row in found):
            raise ValueError(f"{len(found)} rows for {len(ids)} samples")
    return UnitRows(ids, found, rows.read(found, task.task, names, schema.ROWS_FILE))


def _sharing(row: Any, shared: dict[str, str]) -> Any:
    """Return a row whose equal tokens and tags are one object each: those of a million tokens take 100 MB."""
    if isinstance(row, dict):
        for name, value in row.items():
            if isinstance(value, list):
                row[name] = [shared.setdefault(one, one) if isinstance(one, str) else one for one in value]
    return row
