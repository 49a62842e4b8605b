"""Define each task's training objective: the loss of a step, an observation's signals, and metrics.

A **decision** is a row of logits: one per sample, or one per token that has a tag.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from datamap.data.dataset import AnyDataset
from datamap.data.units import UnitDataset
from datamap.paddle_backend.framework import paddle
from datamap.paddle_backend.tokens import Tokens
from datamap.schema import Task
from datamap.signals.compute import label_values, log_softmax
from datamap.tasks import entities
from datamap.tasks.definitions import tables_of


class Objective(NamedTuple):
    """Define a task's loss and metrics.

    Attributes:
        head: the end of the name of PaddleNLP's model class.
        loss: (logits, labels) of some decisions → the sum of the losses of all that is decided.
        measures: (samples, tokens, logits, labels) → {metric: value} of development samples.
    """

    head: str
    loss: Callable[[Any, Any], Any]
    measures: Callable[[Any, Tokens, np.ndarray, np.ndarray], dict[str, float]]


def objective_of(samples: AnyDataset) -> Objective:
    """Return the objective of these samples' task."""
    return OBJECTIVES[samples.task]


def labels_of(samples: AnyDataset, tokens: Tokens) -> np.ndarray:
    """Return the label of each decision, int64 (decisions,), or its labels as 0 and 1, (decisions, labels)."""
    return np.concatenate(_in_reach(samples.labels, tokens)) if tokens.words else np.asarray(samples.labels)


def table_of(samples: AnyDataset, tokens: Tokens, logits: np.ndarray, where: str) -> pa.Table:
    """Return the signals of an observation; `where` is the beginning of error messages."""
    given: list[Any] = [samples.labels, samples.planted, logits]
    if tokens.words:
        given = [*(_in_reach(values, tokens) for values in given[:2]), _per_sample(logits, tokens)]
    labels, planted, scores = given
    table = tables_of(samples.task)
    return table(samples.ids, where, labels=labels, logits=scores, noisy_labels=planted)


def _in_reach(values: Any, tokens: Tokens) -> list[np.ndarray]:
    """Return the values of each sample's tokens that are within the model's length."""
    assert tokens.words
    return [one[:count] for one, count in zip(values, tokens.words.counts, strict=True)]


def _per_sample(values: np.ndarray, tokens: Tokens) -> list[np.ndarray]:
    assert tokens.words
    return np.split(values, np.cumsum(tokens.words.counts)[:-1])


# ---------------------------------------------------------------------- one label of several classes per decision


def _cross_entropy(logits: Any, labels: Any) -> Any:
    return paddle.nn.functional.cross_entropy(logits, labels, reduction="sum")


def _loss_and_accuracy(logits: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    return {
        "validation/loss": float(-label_values(log_softmax(logits), labels).mean()),
        "validation/accuracy": float((logits.argmax(axis=1) == labels).mean()),
    }


# ---------------------------------------------------------------------- tokens


def _token_measures(
    samples: UnitDataset, tokens: Tokens, logits: np.ndarray, labels: np.ndarray
) -> dict[str, float]:
    """Return loss and accuracy of tokens, and F1 of entities where the tags are of entities.

    An entity is right if its type and both borders are, as seqeval and CoNLL-2003's own script count.
    """
    found = _loss_and_accuracy(logits, labels)
    if entities.are_entities(samples.class_names):
        from seqeval.metrics import f1_score

        names = np.array(entities.in_bio(samples.class_names), object)
        given, predicted = (
            [part.tolist() for part in _per_sample(names[values], tokens)]
            for values in (labels, logits.argmax(axis=1))
        )
        found["validation/f1"] = float(f1_score(given, predicted, zero_division=0))
    return found


# ---------------------------------------------------------------------- several labels


def _binary_cross_entropy(logits: Any, labels: Any) -> Any:
    return paddle.nn.functional.binary_cross_entropy_with_logits(
        logits, labels.astype("float32"), reduction="sum"
    )


def _multilabel_measures(
    samples: UnitDataset, tokens: Tokens, logits: np.ndarray, labels: np.ndarray
) -> dict[str, float]:
    """Return loss and accuracy over samples × labels, F1 over all of them (micro), and the labels' mean F1 (macro)."""
    from sklearn.metrics import f1_score

    chosen = (logits >= 0).astype(np.int64)
    # ln(1 + exp(−z)) for a label that is given, ln(1 + exp(z)) for one that is not
    losses = np.logaddexp(0, np.where(labels == 1, -logits, logits).astype(np.float64))
    of_labels = f1_score(labels, chosen, average=None, zero_division=0)
    return {
        "validation/loss": float(losses.mean()),
        "validation/accuracy": float((chosen == labels).mean()),
        "validation/f1_micro": float(f1_score(labels.ravel(), chosen.ravel(), zero_division=0)),
        "validation/f1_macro": float(np.mean(of_labels)),
    }


OBJECTIVES = {
    Task.CLASSIFICATION: Objective(
        head="SequenceClassification",
        loss=_cross_entropy,
        measures=lambda samples, tokens, logits, labels: _loss_and_accuracy(logits, labels),
    ),
    Task.TOKENS: Objective(
        head="TokenClassification",
        loss=_cross_entropy,
        measures=_token_measures,
    ),
    Task.MULTILABEL: Objective(
        head="SequenceClassification",
        loss=_binary_cross_entropy,
        measures=_multilabel_measures,
    ),
}
