"""Observe the units of samples that have several: the tags of tokens, or the labels of texts."""

from typing import Any

import numpy as np

from datamap.callbacks.classification import FIRST_BATCH, ClassificationObserver
from datamap.callbacks.rows import labels_of
from datamap.callbacks.trainer_arguments import label_name
from datamap.errors import ConfigError, SignalError
from datamap.schema import Task
from datamap.signals.arrays import as_array
from datamap.signals.ragged_sequences import as_ragged
from datamap.tasks.definitions import DEFINITIONS, tables_of
from datamap.tasks.task import IGNORED


class UnitObserver(ClassificationObserver):
    """Observe the labels and the logits of each sample's units.

    A collator pads labels, and must keep all rows in their order: the labels of each batch tell.
    """

    task: Task

    def check_rows(self) -> None:
        """Refuse a collator that moves rows."""
        name = label_name(self.args)
        self._ids = []
        for start in range(self.part.start, self.part.stop, self.size):
            stop = min(start + self.size, self.part.stop)
            self._ids.append(self.rows.ids.slice(start, stop - start).to_pylist())
            self._refuse_moved([self.rows[row] for row in range(start, stop)], name)

    def check_model(self, model: Any) -> None:
        """Refuse ids, labels, logits and class names that do not fit together."""
        where, first = FIRST_BATCH, next(iter(self._batches()), None)
        if first is None:
            self.idle(model)
            return
        labels, logits = self._run(model, first)
        table = tables_of(self.task)(self._ids[0], where, labels=labels, logits=logits)
        if table is not None:
            self.metadata.complete(where, table)
            if DEFINITIONS[self.task].states:
                self.metadata.check_labels(where, table)

    def _refuse_moved(self, rows: list, name: str) -> None:
        """Raise ConfigError if a batch has other labels than its rows, padding left out."""
        given = [row.get(name, row.get("label")) for row in rows]
        if any(one is None for one in given):
            raise ConfigError(f"a row of the training dataset has no {name!r}")
        batch = list(as_array(labels_of(self.loader.collate_fn(rows), name), name))
        same = len(batch) == len(given) and all(
            np.array_equal(_known(own), _known(made)) for own, made in zip(given, batch, strict=True)
        )
        if not same:
            raise ConfigError(
                "the collator leaves rows out, reorders them or changes their labels, so ids cannot follow; use "
                "datamap.SignalRecorder in your own loop"
            )


class TokenObserver(UnitObserver):
    """Observe the tags of tokens."""

    task = Task.TOKENS

    def encoder(self, model: Any) -> None:
        """Return None: the embedding of a sentence does not tell its tokens apart."""


class LabelObserver(UnitObserver):
    """Observe several labels per sample."""

    task = Task.MULTILABEL


def _known(labels: Any) -> np.ndarray:
    try:
        values = as_ragged([labels], "labels", "the training dataset", 1).values
    except SignalError as error:
        raise ConfigError(str(error)) from error
    return values[values != IGNORED]
