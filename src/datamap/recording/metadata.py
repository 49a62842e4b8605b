"""Hold the class names and the samples' texts and labels that a user gives, and check signals against them."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from datamap.errors import ConfigError, SignalError, first_few
from datamap.recording import arguments, examples
from datamap.recording.examples import Examples
from datamap.schema import Task
from datamap.signals import align, compute, embeddings
from datamap.signals.embeddings import Embeddings
from datamap.tasks import units
from datamap.tasks.definitions import DEFINITIONS
from datamap.tasks.rows import Given


class Metadata(NamedTuple):
    """Hold names of classes by index, and the samples: texts, labels and planted kinds (None: not given).

    The samples are a table for classification, and `Examples` for the tasks without classes.
    """

    class_names: tuple[str, ...] | None
    samples: pd.DataFrame | Examples | None

    @classmethod
    def from_arguments(cls, class_names: Any, samples: Any, task: Task = Task.CLASSIFICATION) -> "Metadata":
        """Check the arguments `class_names=` and `samples=` of a recorder; checked values pass the check again.

        Raises:
            ConfigError: the class names cannot be used, or they are missing while labels are names.
            DataError: `samples` has a column, id, text or label that cannot be used.
        """
        names = arguments.checked_names(class_names)
        if samples is None:
            return cls(names, None)
        definition = DEFINITIONS[task]
        if definition.unit:
            return cls(names, examples.examples_of(samples, unit_task=task, names=names))
        return cls(
            names,
            arguments.sample_table(samples, names)
            if definition.has_classes
            else examples.examples_of(samples),
        )

    @property
    def table(self) -> pd.DataFrame | None:
        """Return the samples as a table of the columns that a run keeps (`data/samples.tsv`)."""
        return self.samples.table if isinstance(self.samples, Examples) else self.samples

    def embedded(self, given: Any, task: Task) -> Embeddings | None:
        """Return the embeddings that a user gives for `samples`; checked ones stay as they are, and None stays None.

        Raises:
            ConfigError: there are no `samples`, whose order they have, or what is labeled is a part of the sample.
            SignalError: they are not one finite vector per sample.
        """
        if given is None or isinstance(given, Embeddings):
            return given
        if task is Task.TOKENS:
            raise ConfigError("embeddings= are of whole samples and judge no token; leave them out")
        if self.table is None:
            raise ConfigError(
                "embeddings= are in the order of samples=: give samples= with the column id, too"
            )
        return embeddings.checked(self.table["id"], given)

    @property
    def _given(self) -> Given | None:
        return self.samples.given if isinstance(self.samples, Examples) else None

    def places(self, ids: pa.Array) -> np.ndarray | None:
        """Return the place in `samples` of each row of signals, −1 for none; None without `samples`."""
        if self.table is None:
            return None
        of = ids if self._given is None else units.split(ids)[0]
        return align.rows(of, self._ids)

    def check_units(self, where: str, table: pa.Table, name: str = "samples=") -> None:
        """Raise SignalError if `samples` lacks the sample of a unit, or has another label for the unit.

        Args:
            where: beginning of error messages.
            table: units with id and label.
            name: what messages call `samples`.
        """
        given = self._given
        for block in _blocks(table) if given else ():
            ids = block["id"].combine_chunks()
            samples, positions = units.split(ids)
            found = align.rows(samples, self._ids)
            if (found < 0).any():
                strangers = first_few(dict.fromkeys(align.missing(samples, found)))
                raise SignalError(f"{where}: {name} has no id {strangers}; it must have every sample")
            if given is None or given.key is None:
                return
            rows, names = given.rows_of(found, positions), ids.to_numpy(zero_copy_only=False)
            compute.refuse(rows < 0, names, f"{where}: {name} has fewer labels")
            wrong = given.labels[rows] != block["label"].to_numpy()
            compute.refuse(wrong, names, f"{where}: {name} has another label (counted from 0)")

    @property
    def _ids(self) -> pa.Array:
        assert self.table is not None
        return align.array(self.table["id"].astype(str))

    def check_labels(self, where: str, table: pa.Table) -> None:
        """Raise SignalError if a unit is none of the named labels, or a label has no unit."""
        if self.class_names is None:
            return
        count = 1 + max(int(units.split(block["id"].combine_chunks())[1].max()) for block in _blocks(table))
        if count != len(self.class_names):
            raise SignalError(f"{where}: the model has {count} labels, class_names= {len(self.class_names)}")

    def check_classes(self, where: str, table: pa.Table) -> None:
        """Raise SignalError if the number of the model's classes is not that of the class names."""
        for classes in compute.classes_of(table):
            if self.class_names is not None and classes != len(self.class_names):
                raise SignalError(
                    f"{where}: the model has {classes} classes, class_names= {len(self.class_names)}"
                )

    def rows(self, where: str, ids: pa.Array, labels: np.ndarray) -> pd.DataFrame | None:
        """Return the rows of `samples` with these ids, in this order; None without `samples`.

        Args:
            where: beginning of error messages.
            ids: whole numbers or strings.
            labels: class indices, one per id.

        Raises:
            SignalError: `samples` lacks an id, or has another label for it.
        """
        if self.table is None:
            return None
        found = align.rows(ids, self._ids)
        if (found < 0).any():
            strangers = first_few(align.missing(ids, found))
            raise SignalError(f"{where}: samples= has no id {strangers}; record the ids that samples= has")
        known = self.table.iloc[found]
        if "label" in known:
            wrong = labels != arguments.label_indices(known["label"], self.class_names)
            if wrong.any():
                which = first_few(ids.filter(pa.array(wrong)).to_pylist())
                raise SignalError(f"{where}: samples= has another label, id {which}")
        return known

    def complete(self, where: str, table: pa.Table) -> pa.Table:
        """Return a table of signals with the planted kinds that `samples` has, where none were recorded.

        Raises:
            SignalError: an id, a label or the number of classes does not fit.
        """
        self.check_classes(where, table)
        if self._given is not None:
            self.check_units(where, table)
            return table
        known = self.rows(where, table["id"], table["label"].to_numpy())
        if known is None or "s_label" not in known:
            return table
        return compute.with_planted(table, known["s_label"].to_numpy())


def _blocks(table: pa.Table) -> Iterator[pa.Table]:
    """Yield the records of a table, some at a time: what is made of the ids of units takes memory."""
    for start in range(0, table.num_rows, align.BLOCK):
        yield table.slice(start, align.BLOCK)
