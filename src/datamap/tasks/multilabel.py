"""Record several labels per sample: each label of a sample, given or not, is right or wrong by itself."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from datamap.errors import SignalError
from datamap.schema import MAX_CLASSES, SUM_TOLERANCE, Task
from datamap.signals import compute
from datamap.signals.arrays import as_array, refuse_other_than_numbers
from datamap.tasks import units
from datamap.tasks.task import MAX_NUMBER, Definition, further_signals, unlabeled_table

STATES = ("absent", "present")  # the two classes of a unit: the label is not given, or given


def table(
    ids: Any, where: str, correct_above: float, outputs: Mapping[str, Any], further: Mapping[str, Any]
) -> pa.Table | None:
    """Return the signals of a batch, one row per sample and label; None if it is empty.

    Each label is a question of its own, as in binary cross-entropy: with p the predicted probability of the label, the
    probability of what is given is p where the sample has the label, and 1 − p where not. The prediction is right if
    (p ≥ 0.5) is what is given; the margin is the logit where the sample has the label, and its negative where not. The
    id of a row is `<sample>:<label index>`, and its `label` 1 (given) or 0.

    Raises:
        SignalError: labels are not 0 and 1, or scores not finite, or not of the labels' shape.
    """
    names = compute.flat_ids(ids, where)
    if not names.size:
        return None
    compute.id_array(names, where)  # refuses what is no id
    if "labels" not in outputs or ("logits" in outputs) == ("probs" in outputs):
        raise SignalError(
            f"{where}: give labels= (samples, labels) of 0 and 1, and either logits= or probs= of the same shape"
        )
    labels = _matrix(outputs["labels"], "labels", names, None, where)
    count = labels.shape[1]
    rows = np.repeat(np.arange(len(names)), count)
    unit_ids = units.ids_of(names[rows], np.tile(np.arange(count), len(names)))
    given = labels.ravel()
    compute.refuse(~np.isin(given, (0, 1)), unit_ids, f"{where}: a label is not 0 or 1")
    given = given.astype(bool)
    logits = _logits(outputs, names, labels.shape, unit_ids, where)
    margin = np.where(given, logits, -logits)
    loss = np.logaddexp(0, -margin)
    present = logits >= 0
    columns = {
        "correct": present == given,
        "loss": np.minimum(loss, MAX_NUMBER).astype(np.float32),
        "margin": margin.clip(-MAX_NUMBER, MAX_NUMBER).astype(np.float32),
        "label_probs": np.exp(-loss).astype(np.float32),
        **_further(further, names, labels.shape, unit_ids, where),
    }
    kinds = outputs.get("noisy_labels")
    planted = None if kinds is None else _matrix(kinds, "noisy_labels", names, labels.shape, where).ravel()
    found = unlabeled_table(unit_ids, where, columns, planted)
    # Of ten million units, three columns of 64 bits would take 240 MB.
    kinds = found["noisy_label"].cast(pa.int8())
    found = found.set_column(found.column_names.index("noisy_label"), "noisy_label", kinds)
    found = found.set_column(1, "label", pa.array(given.astype(np.int8)))
    return found.add_column(2, "pred_label", pa.array(present.astype(np.int8)))


def _matrix(values: Any, name: str, names: np.ndarray, shape: tuple | None, where: str) -> np.ndarray:
    """Return numbers (samples, labels)."""
    found = as_array(values, name)
    refuse_other_than_numbers(found, name, where)
    wanted = shape or (len(names), *found.shape[1:2])
    if found.ndim != 2 or found.shape != wanted or not found.shape[1]:
        raise SignalError(
            f"{where}: {name} has shape {found.shape}; give numbers of shape "
            f"({len(names)}, {(wanted[1] if len(wanted) > 1 else 0) or 'labels'}), one row per id"
        )
    if found.shape[1] > MAX_CLASSES:
        raise SignalError(f"{where}: {found.shape[1]:,} labels; a run holds at most {MAX_CLASSES:,}")
    return found


def _logits(
    outputs: Mapping[str, Any], names: np.ndarray, shape: tuple, unit_ids: np.ndarray, where: str
) -> np.ndarray:
    """Return the logit of each unit, float64 (units,)."""
    name = "logits" if "logits" in outputs else "probs"
    scores = _matrix(outputs[name], name, names, shape, where).astype(np.float64).ravel()
    compute.refuse(~np.isfinite(scores), unit_ids, f"{where}: {name} are not finite (NaN or infinite)")
    if name == "logits":
        return scores
    wrong = (scores < 0) | (scores > 1 + SUM_TOLERANCE)
    compute.refuse(wrong, unit_ids, f"{where}: probabilities are not from 0 to 1")
    scores = scores.clip(compute.MIN_PROB, 1 - compute.MIN_PROB)
    return np.log(scores) - np.log1p(-scores)


def _further(further, names, shape, unit_ids, where):
    """Return signals of the user's own, one number per unit, given as (samples, labels)."""
    flat = {name: _matrix(values, name, names, shape, where).ravel() for name, values in further.items()}
    return further_signals(unit_ids, where, flat)


DEFINITION = Definition(
    task=Task.MULTILABEL,
    keywords=("labels", "logits", "probs"),
    table=table,
    correct="(probability of the label >= 0.5) is whether the sample has the label",
    has_classes=True,
    unit="label",
    states=STATES,
)
