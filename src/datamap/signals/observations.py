"""Line up the records of several observations by sample, as arrays."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datamap.errors import SignalError, first_few
from datamap.signals import align
from datamap.signals.compute import DERIVED, Outputs, log_of, refuse_repeated


@dataclass(frozen=True)
class Observations:
    """Hold the signals of samples over T observations.

    Attributes:
        numbers: numbers of the observations, ascending.
        ids: arrow array (samples,).
        labels: int64 (samples,), the given labels.
        planted: int64 (samples,), planted kinds.
        correct: bool (T, samples).
        label_probs: float64 (T, samples).
        further: {name: float64 (T, samples)}, the other signals.
        present: bool (T, samples), False where an observation lacks a sample and the other arrays mean nothing; None if
            every observation has every sample.
    """

    numbers: tuple[int, ...]
    ids: pa.Array
    labels: np.ndarray
    planted: np.ndarray
    correct: np.ndarray
    label_probs: np.ndarray
    further: dict[str, np.ndarray]
    present: np.ndarray | None = None

    @classmethod
    def from_tables(
        cls, tables: Iterable[tuple[int, pa.Table]], allow_missing: bool = False
    ) -> "Observations":
        """Line up records by id, in the first observation's order.

        Args:
            tables: iterable of (number, arrow table), ascending; each is released before the next is requested, so that
                memory holds only one.
            allow_missing: allow samples that some observations lack.

        Raises:
            SignalError: an observation lacks a sample (unless `allow_missing`), an id occurs twice in one, or a sample
                changes its label.
        """
        numbers, records = [], []
        for number, table in tables:
            numbers.append(number)
            records.append(_Records.from_table(table, number))
            del table  # else memory would hold it while the next one is read
            _refuse_other_ids(records[-1], records[0])
            records[-1].share(records[0])
        ids = pa.chunked_array([r.ids for r in records]).unique() if allow_missing else records[0].ids
        refuse_repeated(ids, f"observation {numbers[0]}")
        rows = [_rows(r, ids, allow_missing) for r in records]
        everywhere = np.ones(len(ids), bool)
        there = [everywhere if row is None else row >= 0 for row in rows]
        present = None if all(row is None for row in rows) else np.stack(there)
        keys = [key for key in records[0].columns if all(key in r.columns for r in records)]
        labels, kinds = (_constant(records, rows, present, ids, key) for key in ("label", "noisy_label"))
        stacked = {key: _stack(records, rows, key) for key in keys if key not in ("label", "noisy_label")}
        return cls(
            numbers=tuple(numbers),
            ids=ids,
            labels=labels,
            planted=kinds,
            correct=stacked.pop("correct"),
            label_probs=stacked.pop("label_probs"),
            further=stacked,
            present=present,
        )

    def slices(self, max_samples: int) -> Iterator["Observations"]:
        """Yield views of at most `max_samples` samples, of about equal size; a single one if some are missing."""
        count = 1 if self.present is not None else -(-len(self.ids) // max_samples)
        bounds = np.linspace(0, len(self.ids), count + 1).astype(int)
        for low, high in pairwise(bounds):
            yield replace(
                self,
                ids=self.ids[low:high],
                labels=self.labels[low:high],
                planted=self.planted[low:high],
                correct=self.correct[:, low:high],
                label_probs=self.label_probs[:, low:high],
                further={key: values[:, low:high] for key, values in self.further.items()},
            )

    def take(self, samples: np.ndarray, rows: np.ndarray) -> "Observations":
        """Return some samples, each with its own `rows` of observations, int (T', samples)."""

        def pick(values: np.ndarray) -> np.ndarray:
            return np.take_along_axis(values[:, samples], rows, axis=0)

        return Observations(
            numbers=tuple(range(len(rows))),
            ids=self.ids.take(pa.array(samples)),
            labels=self.labels[samples],
            planted=self.planted[samples],
            correct=pick(self.correct),
            label_probs=pick(self.label_probs),
            further={key: pick(values) for key, values in self.further.items()},
        )


@dataclass
class _Records:
    """Hold one observation as arrays (samples,); probabilities are already reduced."""

    number: int
    ids: pa.Array
    columns: dict[str, np.ndarray]

    @classmethod
    def from_table(cls, table: pa.Table, number: int) -> "_Records":
        columns = {
            name: _array(table[name], name) for name in table.column_names if name not in ("id", "probs")
        }
        columns.setdefault("noisy_label", np.zeros(table.num_rows, np.int64))
        if "probs" in table.column_names:
            derived = _derived(table["probs"], columns["label"], number)
            columns |= {name: values for name, values in derived.items() if name not in columns}
        return cls(number, table["id"].combine_chunks(), columns)

    def share(self, first: "_Records") -> None:
        """Share the arrays that equal those of the first observation, usually ids and labels."""
        if self.ids.equals(first.ids):
            self.ids = first.ids
        for key in ("label", "noisy_label"):
            if np.array_equal(self.columns[key], first.columns[key]):
                self.columns[key] = first.columns[key]


DTYPES: dict[str, type] = {"label": np.int64, "noisy_label": np.int64, "correct": bool}


def _array(column: pa.ChunkedArray, name: str) -> np.ndarray:
    return column.to_numpy().astype(DTYPES.get(name, np.float64), copy=False)


def _derived(column: pa.ChunkedArray, labels: np.ndarray, number: int) -> dict[str, np.ndarray]:
    """Compute the signals that follow from the probabilities of all classes (`compute.DERIVED`)."""
    values = pc.list_flatten(column).to_numpy()
    samples = len(column)
    classes = len(values) // max(samples, 1)
    if classes * samples != len(values) or (labels < 0).any() or (labels >= classes).any():
        raise SignalError(f"observation {number}: a label is beyond the classes of probs")
    probs = values.reshape(samples, classes)
    outputs = Outputs(labels, np.zeros_like(labels), probs, log_of(probs))
    return {name: derive(outputs) for name, derive in DERIVED.items()}


def _refuse_other_ids(records: _Records, first: _Records) -> None:
    if records.ids.type != first.ids.type:
        raise SignalError(
            f"observation {records.number}: ids are {records.ids.type}, in the first observation they are "
            f"{first.ids.type}"
        )


def _rows(records: _Records, ids: pa.Array, allow_missing: bool) -> np.ndarray | None:
    """Return the row of each id in the records, −1 if it has none; None if the ids are equal, in order."""
    if records.ids.equals(ids):
        return None
    where = f"observation {records.number}"
    refuse_repeated(records.ids, where)
    rows = align.rows(ids, records.ids)
    if not allow_missing:
        _refuse_missing(align.missing(ids, rows), where, "lacks sample")
        unknown = align.missing(records.ids, align.rows(records.ids, ids))
        _refuse_missing(unknown, where, "has samples that the first one lacks:")
    return rows


def _refuse_missing(ids: list, where: str, problem: str) -> None:
    if ids:
        raise SignalError(
            f"{where} {problem} {first_few(ids)} (a damaged shard?); if this is intended, set allow_missing=true"
        )


def _stack(records: list[_Records], rows: list[np.ndarray | None], key: str) -> np.ndarray:
    """Stack one column to (T, samples), and remove it from the records so that memory holds it once.

    Row −1 gets an arbitrary value; `present` says that it means nothing.
    """
    columns = [
        r.columns.pop(key) if row is None else r.columns.pop(key)[row]
        for r, row in zip(records, rows, strict=True)
    ]
    return np.stack(columns)


def _constant(
    records: list[_Records],
    rows: list[np.ndarray | None],
    present: np.ndarray | None,
    ids: pa.Array,
    key: str,
) -> np.ndarray:
    """Return the value of a column that each sample keeps in all observations."""
    shared = records[0].columns[key]
    if present is None and all(r.columns[key] is shared for r in records):
        return shared
    values = _stack(records, rows, key)
    if present is None:
        first, changed = values[0], (values != values[0]).any(axis=0)
    else:
        first = values[present.argmax(axis=0), np.arange(values.shape[1])]
        changed = ((values != first) & present).any(axis=0)
    if changed.any():
        names = first_few(ids.filter(pa.array(changed)).to_pylist())
        raise SignalError(f"{key} changes between observations, id {names}")
    return first
