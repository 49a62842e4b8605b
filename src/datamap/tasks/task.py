"""Define how a task describes itself, and help to make the table of an observation."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from datamap import schema
from datamap.errors import SignalError
from datamap.schema import Task
from datamap.signals import compute, contract
from datamap.signals.arrays import as_array, refuse_other_than_numbers

# Names of `SignalRecorder.record` that mean the same for every task.
COMMON = ("noisy_labels",)
IGNORED = -100  # label of a token that has none, as PyTorch's cross-entropy has it
MAX_NUMBER = -compute.MIN_LOG_PROB  # the largest float32: sums of larger numbers may be infinite


class Definition(NamedTuple):
    """Say what a task takes, records and can do; each module of this package defines one.

    Attributes:
        task: the task.
        keywords: names of the model's outputs that `record` takes for it.
        table: called with (ids, where, correct_above, outputs, further), it returns the table of a batch (None: empty).
        correct: what `correct` means, for people.
        signals: {further signal that it records: its meaning}.
        has_classes: tells whether a sample has a label that could be another one; only then there are labels to
            propose, to balance or to estimate the errors of.
        unit: what the rows of an observation are where a sample has several (`units`); "" = the samples themselves.
        states: names of the classes of a unit, where class names name the units themselves.
    """

    task: Task
    keywords: tuple[str, ...]
    table: Callable[..., pa.Table | None]
    correct: str
    signals: Mapping[str, str] = {}
    has_classes: bool = False
    unit: str = ""
    states: tuple[str, ...] = ()

    @property
    def row(self) -> str:
        """Return what the rows of an observation and of a summary are: "sample", or the unit."""
        return self.unit or "sample"


def numbers(ids: np.ndarray, values: Any, name: str, where: str) -> np.ndarray:
    """Return a signal of each sample as float64 (samples,).

    Raises:
        SignalError: it is not one finite number per sample.
    """
    array = as_array(values, name)
    array = array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
    if array.shape != ids.shape:
        raise SignalError(
            f"{where}: {name} has shape {array.shape}; give one number per sample ({len(ids)} ids)"
        )
    refuse_other_than_numbers(array, name, where)
    with np.errstate(over="ignore"):
        array = array.astype(np.float64)
    wrong = ~(np.abs(array) <= MAX_NUMBER)
    compute.refuse(
        wrong, ids, f"{where}: {name} is not finite (NaN, infinite or beyond 3.4e38); give a number"
    )
    return array


def truths(ids: np.ndarray, values: np.ndarray, name: str, where: str) -> np.ndarray:
    """Return numbers that are 0 or 1 as bool; `ids` names the sample of each.

    Raises:
        SignalError: one is neither.
    """
    compute.refuse(~np.isin(values, (0, 1)), ids, f"{where}: {name} is not true or false (1 or 0)")
    return values.astype(bool)


def further_signals(
    ids: np.ndarray, where: str, given: Mapping[str, Any], taken: tuple[str, ...] = ()
) -> dict[str, np.ndarray]:
    """Return the user's own signals as {name: float64 (samples,)}.

    Raises:
        SignalError: a name is taken or no column's name, or a signal is not one finite number per sample.
    """
    for name in given:
        if name in schema.SIGNAL_COLUMNS or name in taken:
            raise SignalError(f"{where}: signal {name} is Data Map's own; choose another name")
        if not schema.is_column_name(name):
            raise SignalError(f"{where}: signal {name!r} is not a valid column name; choose another")
    return {name: numbers(ids, values, name, where) for name, values in given.items()}


def unlabeled_table(
    ids: np.ndarray, where: str, columns: Mapping[str, np.ndarray], noisy_labels: Any = None
) -> pa.Table:
    """Return the table of a batch of a task without classes: every sample has label 0.

    Args:
        ids: (samples,) ids.
        where: beginning of error messages.
        columns: {signal: (samples,)} with `correct` and `label_probs`.
        noisy_labels: (samples,) planted kinds; None = unknown.

    Raises:
        SignalError: a value is not what the contract allows, and `summarize` could not read it.
    """
    zeros = np.zeros(len(ids), np.int64)
    planted = zeros
    if noisy_labels is not None:
        kinds = numbers(ids, noisy_labels, "noisy_labels", where)
        wrong = ~np.isin(kinds, list(schema.KINDS))
        compute.refuse(wrong, ids, f"{where}: noisy_labels: planted kinds are 0, 1 or 2")
        planted = kinds.astype(np.int64)
    table = pa.table({"id": compute.id_array(ids, where), "label": zeros, "noisy_label": planted, **columns})
    contract.refuse_values(table, where)
    return table
