"""Several distributions of each sample, made into one: witnesses weigh as much as they foretell."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from datamap.signals.compute import log_of, log_softmax, of_label

MAX_WEIGHT = 10.0  # weight of a witness that is never contradicted, which would have an infinite one
PRIOR = 10.0  # samples' worth of pull towards the witnesses' plain mean, so that a few hundred samples do not overfit
SHRINKAGE = 1e-3  # of the classes' terms, so that a class of a few samples keeps near its frequency


class Pool(NamedTuple):
    """`probs`, float64 (N, C), rows sum to 1; `weights`, {witness: ≥ 0}, 0 where it tells nothing."""

    probs: np.ndarray
    weights: dict


def pooled(
    witnesses: Mapping[str, np.ndarray], labels: np.ndarray, most: Mapping[str, float] | None = None
) -> Pool:
    """The logarithmic opinion pool of distributions (Genest and Zidek 1986, sec. 3).

    p(class) ∝ exp(b_class + Σ w_k ln p_k(class)). The weights w_k ≥ 0 and the terms b are those under which the given
    labels are likeliest. No witness has seen the label that it is weighed by, so that what knows nothing gets no
    weight, and what is too sure is toned down. Few samples tell little of the weights, which then keep near 1 / K each.

    Args:
        witnesses: {name: (N, C) distributions}, at least one.
        labels: int (N,) given labels.
        most: {name: largest weight}, `MAX_WEIGHT` for the others.
    Returns:
        `Pool`.
    """
    from scipy.optimize import minimize

    logs = np.stack([log_of(probs) for probs in witnesses.values()])
    count, (samples, classes) = len(logs), logs.shape[1:]
    rows = np.arange(samples)

    def pool(values):
        return log_softmax(np.tensordot(values[:count], logs, 1) + values[count:])

    def loss(values):
        pooled = pool(values)
        errors = np.exp(pooled)
        errors[rows, labels] -= 1
        slopes = np.append((logs * errors).sum(axis=(1, 2)), errors.sum(axis=0)) / samples
        terms = values[count:]
        slopes[count:] += 2 * SHRINKAGE * terms
        from_mean = values[:count] - 1 / count
        slopes[:count] += 2 * PRIOR / samples * from_mean
        penalty = SHRINKAGE * (terms**2).sum() + PRIOR / samples * (from_mean**2).sum()
        return penalty - of_label(pooled, labels).mean(), slopes

    bounds: list[tuple] = [(0, (most or {}).get(name, MAX_WEIGHT)) for name in witnesses]
    # Nothing can be learnt of a class that no label names.
    bounds += [(None, None) if given else (0, 0) for given in np.bincount(labels, minlength=classes)]
    start = np.append(np.full(count, 1 / count), np.zeros(classes))
    best = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    return Pool(np.exp(pool(best)), dict(zip(witnesses, best[:count].tolist(), strict=True)))
