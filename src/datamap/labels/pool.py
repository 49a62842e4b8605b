"""Combine several predicted distributions of each sample into one, weighted by their predictive value."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from datamap.labels.blocks import by_rows
from datamap.labels.witnesses import part_of
from datamap.signals.compute import label_values, log_of, log_softmax

MAX_ROWS = 100_000  # rows that the few weights are fitted to; a random part if there are more
MAX_WEIGHT = 10.0  # of a witness that is never contradicted; its best weight would be infinite
PRIOR = 10.0  # strength of the pull to equal weights, in samples: a few hundred samples must not overfit
SHRINKAGE = 1e-3  # pull of the class terms to 0: a class of a few samples stays near its frequency


class Pool(NamedTuple):
    """Hold the pooled distributions and how much each witness counts.

    Attributes:
        probs: float64 (N, C), rows sum to 1.
        weights: {witness: weight, 0 or more}; 0 for a witness that says nothing about the labels.
    """

    probs: np.ndarray
    weights: dict


def pool_witnesses(witnesses: Mapping[str, np.ndarray], labels: np.ndarray) -> Pool:
    """Combine distributions by a weighted logarithmic opinion pool (Genest and Zidek 1986, sec. 3).

    Witness k predicts class c for sample x with probability p_k(c | x). The pool is the normalized product

        p(c | x) ∝ exp(b_c + Σ_k w_k ln p_k(c | x)),  w_k ≥ 0

    Unlike in a mean, one confident "no" counts strongly. The weights w_k and the class terms b_c maximize the
    likelihood of the given labels, as in a multinomial logistic regression on the log-probabilities. So an
    uninformative witness gets weight 0, and an overconfident one a weight below 1. This works only if no witness has
    seen the label by which it is weighed. A penalty keeps the weights near 1/K of K witnesses if there are few samples.

    Args:
        witnesses: {name: (N, C) distributions}, at least one.
        labels: int (N,), the given labels.

    >>> right, guess = np.array([[0.9, 0.1], [0.1, 0.9]] * 50), np.full((100, 2), 0.5)
    >>> pool = pool_witnesses({"right": right, "guess": guess}, np.array([0, 1] * 50))
    >>> pool.weights["right"] > 1, pool.probs[0].argmax()
    (True, 0)
    """
    from scipy.optimize import minimize

    part = part_of(np.arange(len(labels)), MAX_ROWS)
    given = labels[part]
    logs = _logs(*(probs[part] for probs in witnesses.values())).astype(np.float32)
    count, (samples, classes) = len(logs), logs.shape[1:]
    rows = np.arange(samples)

    def pool(values, logs):
        return log_softmax(np.tensordot(values[:count], logs, 1) + values[count:])

    def loss(values):
        """Return (mean negative log-likelihood with penalties, its gradient)."""
        scores = np.tensordot(values[:count].astype(logs.dtype), logs, 1)
        scores += values[count:].astype(logs.dtype)
        scores -= scores.max(axis=1, keepdims=True)
        likelihood = label_values(scores, given).sum(dtype=np.float64)
        errors = np.exp(scores, out=scores)
        sums = errors.sum(axis=1)
        likelihood -= np.log(sums).sum(dtype=np.float64)
        errors /= sums[:, None]
        errors[rows, given] -= 1
        slopes = np.append(np.tensordot(logs, errors, 2), errors.sum(axis=0, dtype=np.float64)) / samples
        terms = values[count:]
        slopes[count:] += 2 * SHRINKAGE * terms
        from_mean = values[:count] - 1 / count
        slopes[:count] += 2 * PRIOR / samples * from_mean
        penalty = SHRINKAGE * (terms**2).sum() + PRIOR / samples * (from_mean**2).sum()
        return penalty - likelihood / samples, slopes

    bounds: list[tuple] = [(0, MAX_WEIGHT)] * count
    # The term of a class that no label names would go to minus infinity.
    bounds += [(None, None) if known else (0, 0) for known in np.bincount(given, minlength=classes)]
    start = np.append(np.full(count, 1 / count), np.zeros(classes))
    best = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    probs = by_rows(lambda *some: np.exp(pool(best, _logs(*some))), *witnesses.values())
    return Pool(probs, dict(zip(witnesses, best[:count].tolist(), strict=True)))


def _logs(*probs):
    return np.stack([log_of(one) for one in probs])
