"""Compute the signals of samples from a model's outputs, vectorized, one observation at a time."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datamap.errors import SignalError, first_few
from datamap.schema import KINDS, MAX_CLASSES, SUM_TOLERANCE
from datamap.signals import align
from datamap.signals.arrays import NUMBERS, as_array

MIN_LOG_PROB = float(np.finfo(np.float32).min)  # finite as a float32
# About the rounding error of a float32 near 1. Only rounding decides if a smaller recorded probability is 0 or 1e-20,
# yet one such observation would outweigh all others in a mean of logarithms.
MIN_PROB = 1e-7


class Outputs(NamedTuple):
    """Hold a model's outputs for a batch of samples, and what is known about them.

    Attributes:
        labels: int (samples,), class indices of the given labels.
        planted: int (samples,), planted kinds (`schema.KINDS`).
        probs: float32 (samples, classes), softmax over the classes.
        log_probs: float64 (samples, classes), its natural logarithm.
    """

    labels: np.ndarray
    planted: np.ndarray
    probs: np.ndarray
    log_probs: np.ndarray


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Compute log-probabilities ln softmax(z)_c = z_c − max z − ln Σ_k exp(z_k − max z), in nats.

    Subtracting the maximum keeps the exponential from overflowing. The result is at least `MIN_LOG_PROB`, so that
    no finite logit gives an infinite loss.

    Args:
        logits: array (samples, classes).

    Returns:
        float64 array (samples, classes).

    >>> np.exp(log_softmax(np.array([[0.0, 0.0], [1000.0, 0.0]]))).tolist()
    [[0.5, 0.5], [1.0, 0.0]]
    """
    shifted = np.asarray(logits, np.float64)
    with np.errstate(over="ignore"):
        shifted = np.maximum(shifted - shifted.max(axis=1, keepdims=True), MIN_LOG_PROB)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def label_values(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the value of each sample's label, `values[i, labels[i]]`, as an array (samples,).

    >>> label_values(np.array([[0.1, 0.9], [0.8, 0.2]]), np.array([1, 1]))
    array([0.9, 0.2])
    """
    return np.take_along_axis(values, labels[:, None], axis=1)[:, 0]


def log_of(probs: Any) -> np.ndarray:
    """Compute the natural logarithm of probabilities in float64; smaller ones count as `MIN_PROB`.

    >>> log_of([0.0, 1e-20, 1.0]).round(2).tolist()
    [-16.12, -16.12, 0.0]
    """
    return np.log(np.maximum(np.asarray(probs, np.float64), MIN_PROB))


def margin(outputs: Outputs) -> np.ndarray:
    """Compute the margin ln p_y − max_{c≠y} ln p_c of the given label y, in nats, float64 (samples,).

    It equals the margin of the logits, as softmax subtracts the same constant from all of them. It is positive for a
    right prediction. Its mean over observations is AUM, the area under the margin (Pleiss et al. 2020, eq. 1): a model
    that learns a wrong label works against what similar samples teach, so that the margin stays low.

    >>> probs = np.array([[0.2, 0.8], [0.5, 0.5]])
    >>> margin(Outputs(np.array([0, 1]), None, probs, np.log(probs))).round(2)
    array([-1.39,  0.  ])
    """
    others = outputs.log_probs.copy()
    np.put_along_axis(others, outputs.labels[:, None], -np.inf, axis=1)
    return label_values(outputs.log_probs, outputs.labels) - others.max(axis=1)


def entropy(outputs: Outputs) -> np.ndarray:
    """Compute the entropy −Σ_c p_c ln p_c of the predicted distribution, from 0 (sure) to ln C (a guess), in nats.

    It does not depend on the label.

    >>> probs = np.array([[0.5, 0.5]])
    >>> entropy(Outputs(np.array([0]), None, probs, np.log(probs))).round(3)
    array([0.693])
    """
    return -np.einsum("sc,sc->s", outputs.probs, outputs.log_probs)


def error_norm(outputs: Outputs) -> np.ndarray:
    """Compute the length of the error vector, ‖p − onehot(y)‖₂, from 0 to √2, float64 (samples,).

    Its mean over early observations is EL2N (Paul et al. 2021, sec. 2.2), which approximates the norm of the loss's
    gradient: how much the model would learn from the sample.

    >>> probs = np.array([[0.6, 0.4]])
    >>> error_norm(Outputs(np.array([1]), None, probs, np.log(probs))).round(3)
    array([0.849])
    """
    errors = np.array(outputs.probs, np.float64)
    errors[np.arange(len(errors)), outputs.labels] -= 1
    return np.sqrt(np.einsum("sc,sc->s", errors, errors))


# Signals that follow from `probs`; they are computed when signals are read, unless they were recorded.
DERIVED = {"margin": margin, "entropy": entropy, "error_norm": error_norm}

SIGNALS = {
    "label": lambda o: o.labels,
    "pred_label": lambda o: o.probs.argmax(axis=1),
    "noisy_label": lambda o: o.planted,
    "correct": lambda o: o.probs.argmax(axis=1) == o.labels,
    # The loss of a sure sample is 0 as 0.0 - 0, but would be -0.0 as -x.
    "loss": lambda o: (0.0 - label_values(o.log_probs, o.labels)).astype(np.float32),
    # It is recorded like the loss, as it does not follow from the rounded probabilities of a sure model.
    "margin": lambda o: margin(o).astype(np.float32),
    "probs": lambda o: o.probs,
    "label_probs": lambda o: label_values(o.probs, o.labels),
}


def signal_table(
    ids: Any,
    labels: Any,
    logits: Any = None,
    probs: Any = None,
    noisy_labels: Any = None,
    where: str = "signals",
) -> pa.Table:
    """Compute the signals of a batch, one row per sample (columns: `schema.SIGNAL_COLUMNS`).

    Arguments may be lists, arrays and tensors (`as_array`); ids and labels may also have shape (samples, 1).

    Args:
        ids: (samples,) ints or strings.
        labels: (samples,) class indices of the given labels.
        logits: (samples, classes) unnormalized scores.
        probs: (samples, classes) probabilities that sum to 1, instead of logits.
        noisy_labels: (samples,) planted kinds 0, 1, 2; None if unknown (recorded as 0).
        where: what error messages begin with, such as "observation 3".

    Returns:
        pyarrow Table, rows in the given order.

    Raises:
        SignalError: a shape, label, logit or probability is invalid; the message names the id.

    >>> table = signal_table(["a", "b"], [0, 1], probs=[[0.9, 0.1], [0.75, 0.25]])
    >>> table["correct"].to_pylist(), [round(loss, 2) for loss in table["loss"].to_pylist()]
    ([True, False], [0.11, 1.39])
    """
    if (logits is None) == (probs is None):
        raise SignalError(f"{where}: give either logits or probs")
    ids, labels = flat_ids(ids, where), _flat(as_array(labels, "labels"))
    scores = _numbers(as_array(logits, "logits") if probs is None else as_array(probs, "probs"), where)
    planted = (
        np.zeros(len(ids), np.int64)
        if noisy_labels is None
        else _flat(as_array(noisy_labels, "noisy_labels"))
    )
    _refuse_other_tasks(ids, labels, scores, where)
    _check_shapes(ids, labels, scores, planted, where)
    refuse(~np.isfinite(scores).all(axis=1), ids, f"{where}: scores are not finite (NaN or infinite)")
    classes = scores.shape[1]
    if classes > MAX_CLASSES:
        raise SignalError(f"{where}: {classes:,} classes; a run holds at most {MAX_CLASSES:,}")
    labels = _indices(labels, classes, ids, where, f"label is not in 0..{classes - 1}")
    planted = _indices(planted, len(KINDS), ids, where, "noisy_labels: planted kinds are 0, 1 or 2")
    if probs is None:
        log_probs = log_softmax(scores)
        scores = np.exp(log_probs)
    else:
        sums = scores.clip(max=2).sum(axis=1)
        refuse(
            (scores < 0).any(axis=1) | (abs(sums - 1) > SUM_TOLERANCE), ids,
            f"{where}: probabilities are negative or do not sum to 1",
        )  # fmt: skip
        scores = np.minimum(scores, 1)  # rounding may give 1.0000001
        log_probs = log_of(scores)
    outputs = Outputs(labels, planted, scores.astype(np.float32), log_probs)
    columns = {"id": id_array(ids, where), **{name: f(outputs) for name, f in SIGNALS.items()}}
    return pa.table({name: _column(values) for name, values in columns.items()})


class ObservationCollector:
    """Collect the signals of one observation after the other, from any training loop.

    >>> collector = ObservationCollector(lambda number, table: print(number, table.num_rows))
    >>> collector.record(ids=[0, 1], labels=[1, 0], logits=[[0.0, 2.0], [1.0, 0.5]])
    >>> table = collector.commit(1)
    1 2
    """

    def __init__(
        self, write: Callable[[int, pa.Table], None], table: Callable[..., pa.Table | None] | None = None
    ) -> None:
        """Begin without observations.

        Args:
            write: called with (number, table) of each committed observation.
            table: makes a table of a batch, or None of an empty one; by default that of `classification_table`.
        """
        self._write, self._table = write, table or classification_table
        self._batches: list[pa.Table] = []
        self._columns: list[str] = []
        self._last = 0

    def record(self, ids: Any, labels: Any = None, **outputs: Any) -> None:
        """Add a batch of samples to the observation under way; the arguments are those of the table's function."""
        where = f"observation after {self._last}" if self._last else "first observation"
        given = {"labels": labels, **outputs}
        table = self._table(ids, where, **{name: v for name, v in given.items() if v is not None})
        if table is None:
            return
        self._columns = self._columns or table.column_names
        odd = sorted(set(self._columns) ^ set(table.column_names))
        if odd:
            verb = "lacks" if odd[0] in self._columns else "adds"
            raise SignalError(f"{where}: a batch {verb} {first_few(odd)}; give every batch the same signals")
        self._batches.append(table.select(self._columns))

    def commit(self, number: int) -> pa.Table:
        """End the observation, pass it to `write` as observation `number`, and return its table.

        Raises:
            SignalError: nothing was recorded, an id was recorded twice, or `number` is not larger than the last one
                (the first is 1 or more).
        """
        if not self._batches:
            raise SignalError(f"observation {number}: nothing was recorded")
        if number <= self._last:
            hint = "" if self._last else ": count from 1"
            raise SignalError(f"observation {number} does not come after {self._last}{hint}")
        names = [set(table.column_names) for table in self._batches]
        odd = sorted(set.union(*names) - set.intersection(*names))
        if odd:  # of another process; `record` refuses a batch of this one
            raise SignalError(
                f"observation {number}: some batches have {first_few(odd)}, others not; give all the same signals"
            )
        try:
            table = pa.concat_tables(self._batches)
        except pa.ArrowInvalid as error:
            raise SignalError(f"observation {number}: some ids are numbers, others strings") from error
        classes = classes_of(table)
        if len(classes) > 1:
            raise SignalError(f"observation {number}: batches of {classes[0]} and of {classes[1]} classes")
        hint = " (does the sampler repeat samples? record each once an observation)"
        refuse_repeated(table["id"], f"observation {number}", hint)
        self._write(number, table)
        self._batches, self._last = [], number
        return table


def classification_table(ids: Any, where: str, **outputs: Any) -> pa.Table | None:
    """Return `signal_table` of a batch; None if all of its arrays are empty."""
    arrays = {name: as_array(value, name) for name, value in {"ids": ids, **outputs}.items()}
    if not any(array.size for array in arrays.values()):
        return None
    return signal_table(**{"labels": None, **arrays}, where=where)


def classes_of(table: pa.Table) -> list[int]:
    """Return the numbers of classes that the records of a table have; [] for a task without classes."""
    if "probs" not in table.column_names:
        return []
    return pc.list_value_length(table["probs"]).unique().to_pylist()


def with_planted(table: pa.Table, kinds: np.ndarray) -> pa.Table:
    """Add planted kinds, int (rows,), to a table of signals, unless it has some already."""
    known = "noisy_label" in table.column_names
    if (known and pc.max(table["noisy_label"]).as_py()) or not np.any(kinds):
        return table
    column = pa.array(kinds, pa.int64())
    if known:
        return table.set_column(table.column_names.index("noisy_label"), "noisy_label", column)
    return table.append_column("noisy_label", column)


def refuse_repeated(ids: pa.ChunkedArray, where: str, hint: str = "") -> None:
    """Raise SignalError if an id of an arrow column occurs twice."""
    keys = align.hashes(ids)
    if (keys[1:] > keys[:-1]).all():  # row numbers ascend
        return
    if keys.base is not None:  # the ids themselves
        keys = keys.copy()
    keys.sort()  # in place: a tenth of the memory of a hash table
    again = keys[1:][keys[1:] == keys[:-1]]
    if len(again):
        counts = ids.filter(pa.array(np.isin(align.hashes(ids), again))).value_counts().to_pylist()
        twice = [entry["values"] for entry in counts if entry["counts"] > 1]
        if twice:  # two ids may have the same hash by chance
            raise SignalError(f"{where}: id repeated: {first_few(twice)}{hint}")


def _few(values):
    return first_few(values.ravel().tolist(), 3)


def _flat(array):
    """Flatten an array (n, 1), as Paddle's loaders give labels, to (n,); return others unchanged."""
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array


def _refuse_other_tasks(ids, labels, scores, where):
    """Raise SignalError for outputs of tasks that do not give one distribution over classes per sample."""
    if scores.ndim == 3:
        raise SignalError(
            f"{where}: scores have shape {scores.shape}, one distribution per token: use SignalRecorder(task='tokens')"
        )
    if labels.ndim == 2:
        raise SignalError(
            f"{where}: labels have shape {labels.shape}: for several labels per sample use "
            "SignalRecorder(task='multilabel'), and convert one-hot labels to indices: labels.argmax(1)"
        )
    if scores.shape in (ids.shape, (len(ids), 1)):
        raise SignalError(
            f"{where}: scores have shape {scores.shape}, one per sample; give both classes, such as "
            "probs=np.stack([1 - p, p], axis=1) with p = 1 / (1 + np.exp(-logit)); for a regression, record the "
            "losses with task='scores'"
        )


def _numbers(scores, where):
    """Return logits or probabilities as floats of at most 64 bits."""
    if scores.dtype.kind not in NUMBERS:
        raise SignalError(f"{where}: logits and probabilities must be numbers, not {_few(scores)}")
    with np.errstate(over="ignore"):  # longer floats become infinite, and are refused then
        return scores if scores.dtype in (np.float32, np.float64) else scores.astype(np.float64)


def _indices(labels, count, ids, where, problem):
    """Return indices below `count` as int64.

    Raises:
        SignalError: an index is not an integer, or out of range.
    """
    if labels.dtype.kind not in NUMBERS:
        raise SignalError(f"{where}: labels must be class indices, not {_few(labels)}")
    if labels.dtype.kind == "f":
        refuse(np.isnan(labels), ids, f"{where}: label is missing")
        wrong = ~np.isfinite(labels) | (np.floor(labels) != labels)
        refuse(wrong, ids, f"{where}: label is not an integer")
    refuse((labels < 0) | (labels >= count), ids, f"{where}: {problem}")
    return labels.astype(np.int64)


def _check_shapes(ids, labels, scores, planted, where):
    good = scores.ndim == 2 and ids.shape == labels.shape == planted.shape == scores.shape[:1]
    if not good:
        shapes = f"ids {ids.shape}, labels {labels.shape}, scores {scores.shape}"
        raise SignalError(f"{where}: expected (n,), (n,) and (n, classes), got {shapes}")


def refuse(wrong: np.ndarray, ids: np.ndarray, problem: str) -> None:
    """Raise SignalError with the problem and the ids of the first rows that are marked wrong."""
    if wrong.any():
        raise SignalError(f"{problem}, id {first_few(ids[wrong])}", row=int(wrong.argmax()))


def flat_ids(ids: Any, where: str) -> np.ndarray:
    """Return ids as an array (samples,); raise SignalError if they have another shape."""
    found = _flat(as_array(ids, "ids"))
    if found.ndim > 1:
        raise SignalError(
            f"{where}: ids {found.shape}: give one number or string per sample, such as f'{{a}}/{{b}}'"
        )
    return found


def id_array(ids: Any, where: str) -> pa.Array:
    """Return ids as an arrow array of int64 or strings.

    Raises:
        SignalError: they cannot be recorded; the message begins with `where`.
    """
    ids = flat_ids(ids, where)
    if ids.dtype.kind in "iu":
        refuse(ids > np.iinfo(np.int64).max, ids, f"{where}: id is beyond 64 bits")
        return pa.array(ids.astype(np.int64))
    wrong = [value for value in ids.tolist() if not isinstance(value, str)]
    if wrong:
        raise SignalError(
            f"{where}: ids must be whole numbers below 2^63 or strings, not {_few(np.array(wrong[:3], object))}"
        )
    try:
        return pa.array(ids.tolist(), pa.string())
    except UnicodeError as error:
        raise SignalError(f"{where}: ids must be valid Unicode ({error})") from error


def _column(values):
    if isinstance(values, np.ndarray) and values.ndim == 2:
        offsets = np.arange(0, values.size + 1, values.shape[1], dtype=np.int32)
        return pa.ListArray.from_arrays(offsets, pa.array(values.ravel()))
    return pa.array(values)
