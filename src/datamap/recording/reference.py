"""Check that later observations of a run agree with the first one, so that `summarize` can align them."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from datamap import schema
from datamap.errors import SignalError, first_few
from datamap.signals import align, compute

CONSTANT = ("label", "noisy_label")  # columns in which a sample is the same at every observation


class Reference(NamedTuple):
    """Hold the first observation: its number, the number of classes, and the samples' ids, labels and planted kinds.

    `further` are the names of its signals that are not in the contract.
    """

    number: int
    classes: int
    samples: pa.Table
    further: frozenset[str]

    @classmethod
    def from_table(cls, number: int, table: pa.Table) -> "Reference":
        """Return the reference that a table of signals gives."""
        classes = sum(compute.classes_of(table))
        return cls(number, classes, table.select(["id", *CONSTANT]).combine_chunks(), _further(table))

    def check(self, number: int, table: pa.Table) -> np.ndarray | None:
        """Compare observation `number` with the first one, and return the row of each of its records there.

        Returns:
            int array (records,), −1 for a sample that the first observation lacks; None if both have the same order.

        Raises:
            SignalError: the number of classes, the signals, the type of the ids, or a sample's label or planted kind
                differs.
        """
        classes, further, ids = sum(compute.classes_of(table)), _further(table), table["id"]
        odd = sorted(further ^ self.further)
        if odd:
            raise SignalError(
                f"observation {number} {'has' if odd[0] in further else 'lacks'} {first_few(odd)}, unlike "
                f"observation {self.number}; give all the same signals"
            )
        if classes != self.classes:
            raise SignalError(
                f"observation {number}: {classes} classes, but {self.classes} in observation {self.number}"
            )
        kinds = [
            "numbers" if pa.types.is_integer(part.type) else "strings" for part in (ids, self.samples["id"])
        ]
        if kinds[0] != kinds[1]:
            raise SignalError(
                f"observation {number}: ids are {kinds[0]}, but {kinds[1]} in observation {self.number}"
            )
        rows = None if ids.equals(self.samples["id"]) else align.rows(ids, self.samples["id"])
        # It may lack samples (summarize allow_missing=true).
        known = slice(None) if rows is None else rows >= 0
        for name in CONSTANT:
            now, before = table[name].to_numpy(), self.samples[name].to_numpy()
            before = before if rows is None else before[rows]  # of row −1 any, as it does not count
            changed = np.flatnonzero((now != before)[known])
            if len(changed):
                changed = np.arange(len(now))[known][changed[:6]]
                raise SignalError(
                    f"observation {number}: {name} of id {first_few(ids.take(pa.array(changed)).to_pylist())} is "
                    f"{now[changed[0]]}, but {before[changed[0]]} in observation {self.number}"
                )
        return rows

    def ordered(self, table: pa.Table, rows: np.ndarray | None) -> "pa.Table | Ordered":
        """Return a table's records in the order of the first observation; samples that it lacks come last.

        Args:
            table: records of an observation.
            rows: what `check` returned for it.
        """
        if rows is None:
            return table
        return Ordered(table, np.argsort(np.where(rows < 0, len(self.samples), rows), kind="stable"))


class Ordered(NamedTuple):
    """Show the records of a table in another order, without a copy of all."""

    table: pa.Table
    order: np.ndarray

    @property
    def num_rows(self) -> int:
        """Return the number of records."""
        return len(self.order)

    def slice(self, start: int, count: int) -> pa.Table:
        """Return some records as a table."""
        return self.table.take(pa.array(self.order[start : start + count]))


def _further(table: pa.Table) -> frozenset[str]:
    return frozenset(table.column_names) - frozenset(schema.SIGNAL_COLUMNS)
