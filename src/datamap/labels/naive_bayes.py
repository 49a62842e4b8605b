"""Predict each sample's class by naive Bayes from all other samples, with one matrix product instead of training."""

from typing import Any

import numpy as np

from datamap.signals.compute import log_softmax

SMOOTHING = 0.5  # weight of the overall feature shares in those of a class, in mean classes
MAX_CELLS = 1 << 24  # classes times features that are held at a time
ROWS = 10_000  # whose own part is subtracted at a time


def predict(values: Any, labels: np.ndarray, classes: int) -> np.ndarray:
    """Predict a distribution over classes for every sample, by multinomial naive Bayes on all samples but itself.

    With x the features of a sample, n_c the number of samples of class c, θ_cj the share of feature j in the sum of all
    features of class c, and q_j that in the sum over all classes, the prediction is

        p(c | x) ∝ n_c Π_j θ_cj^x_j,  θ_cj = (Σ_{i of c} x_ij + m q_j) / (Σ_{i of c} Σ_k x_ik + m)

    where m is `SMOOTHING` times the mean class (Dirichlet smoothing, Zhai and Lafferty 2004): a rare feature does not
    decide by itself. The sums over a class, and n_c, are without the sample (leave-one-out). This changes θ of the
    given class only, so nothing is trained again, and every sample is judged by all the others. q and m know no labels.

    Args:
        values: sparse float32 (N, F), none of it below 0.
        labels: int (N,), the given labels.
        classes: the number of classes C.

    Returns:
        float64 (N, C), rows sum to 1.

    >>> from scipy import sparse
    >>> values = sparse.csr_matrix(np.array([[1, 0], [1, 0], [0, 1], [0, 1]], np.float32))
    >>> predict(values, np.array([0, 0, 1, 1]), 2).argmax(axis=1)
    array([0, 0, 1, 1])
    """
    from scipy import sparse

    count = len(labels)
    of_class = sparse.csr_matrix((np.ones(count, np.float32), (labels, np.arange(count))), (classes, count))
    lengths, whole = np.asarray(values.sum(axis=1)).ravel(), np.asarray(values.sum(axis=0)).ravel()
    weight = SMOOTHING * whole.sum() / classes
    smooth = np.maximum(weight * whole / whole.sum(), np.finfo(np.float32).tiny).astype(np.float32)
    sizes = np.bincount(labels, minlength=classes)
    scores = np.tile(np.log(np.maximum(sizes, 0.5)), (count, 1))
    for some in np.array_split(np.arange(classes), -(-classes * values.shape[1] // MAX_CELLS)):
        sums = (of_class[some] @ values).toarray()
        shares = np.log(sums + smooth) - np.log(sums.sum(axis=1, keepdims=True) + weight)
        scores[:, some] += values @ shares.T
        own = np.flatnonzero((labels >= some[0]) & (labels <= some[-1]))
        for rows in np.array_split(own, -(-len(own) // ROWS) or 1):
            given = labels[rows]
            found = _without_itself(values[rows], lengths[rows], sums, given - some[0], smooth, weight)
            scores[rows, given] = found + np.log(np.maximum(sizes[given] - 1, 0.5))
    return np.exp(log_softmax(scores))


def _without_itself(values, lengths, sums, places, smooth, weight):
    """Return Σ_j x_j ln θ_j of each sample in its own class, θ being without the sample."""
    rows = np.repeat(np.arange(len(places)), np.diff(values.indptr))
    left = (sums[places[rows], values.indices] - values.data).clip(0) + smooth[values.indices]
    of_class = (sums.sum(axis=1)[places] - lengths).clip(0) + weight
    return np.bincount(rows, values.data * np.log(left), minlength=len(places)) - lengths * np.log(of_class)
