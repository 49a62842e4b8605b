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
    def of(cls, number: int, table: pa.Table) -> "Reference":
        """Return the reference that a table of signals gives."""
        classes = sum(compute.classes_of(table))
        further = frozenset(table.column_names) - frozenset(schema.SIGNAL_COLUMNS)
        return cls(number, classes, table.select(["id", *CONSTANT]).combine_chunks(), further)

    def check(self, number: int, table: pa.Table) -> None:
        """Compare observation `number` with the first one.

        Raises:
            SignalError: the number of classes, the signals, the type of the ids, or a sample's label or planted kind
                differs.
        """
        other = Reference.of(number, table)
        odd = sorted(other.further ^ self.further)
        if odd:
            raise SignalError(
                f"observation {number} {'has' if odd[0] in other.further else 'lacks'} {first_few(odd)}, unlike "
                f"observation {self.number}; give all the same signals"
            )
        if other.classes != self.classes:
            raise SignalError(
                f"observation {number}: {other.classes} classes, but {self.classes} in observation {self.number}"
            )
        kinds = [
            "numbers" if pa.types.is_integer(part.samples["id"].type) else "strings" for part in (other, self)
        ]
        if kinds[0] != kinds[1]:
            raise SignalError(
                f"observation {number}: ids are {kinds[0]}, but {kinds[1]} in observation {self.number}"
            )
        rows = align.rows(other.samples["id"], self.samples["id"])
        known = rows >= 0  # an observation may lack samples (summarize allow_missing=true)
        for name in CONSTANT:
            now = other.samples[name].to_numpy()[known]
            before = self.samples[name].to_numpy()[rows[known]]
            changed = np.flatnonzero(now != before)
            if len(changed):
                ids = other.samples["id"].filter(pa.array(known)).take(pa.array(changed[:6])).to_pylist()
                raise SignalError(
                    f"observation {number}: {name} of id {first_few(ids)} is {now[changed[0]]}, "
                    f"but {before[changed[0]]} in observation {self.number}"
                )

    def ordered(self, table: pa.Table) -> pa.Table:
        """Return a table's records in the order of the first observation; samples that it lacks come last."""
        rows = align.rows(table["id"], self.samples["id"])
        return table.take(pa.array(np.argsort(np.where(rows < 0, len(self.samples), rows), kind="stable")))
