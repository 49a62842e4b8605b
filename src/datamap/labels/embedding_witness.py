"""Predict each sample's class from its embedding, by linear models that have not seen that sample's label.

An encoder that was pretrained on other texts, pictures or sounds has knowledge that n-grams lack.
"""

import warnings

import numpy as np

from datamap.labels import witnesses
from datamap.signals.compute import label_values, log_of

NAME = "embeddings"  # of the witness and of its score
# scikit-learn's C, the inverse strength of regularization.
STRENGTHS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
MAX_CHOOSING = 3_000  # rows by which the strength is chosen; a random part if there are more
MAX_STEPS = 60  # of the optimizer
# Rows times features times classes of a model, seconds of a core; of more rows, a part.
MAX_PRODUCTS = 4_000_000_000


def predict(first: np.ndarray, second: np.ndarray | None, labels: np.ndarray, classes: int) -> np.ndarray:
    """Predict a distribution over classes for every sample by logistic regression on the other samples' embeddings.

    The folds are those of `witnesses.predict_unseen`. A single sample has the features u, its embedding. A pair of u
    and v has (u, v, |u − v|, u ∘ v), as sentence encoders are trained with (Conneau et al. 2017, sec. 3.1). The mean of
    all is subtracted, since many encoders give every sample a common direction beside which the rest is small. Then one
    factor makes the mean squared length 1: scaling each feature separately would give all of them equal importance. The
    strength of regularization is the one of `STRENGTHS` under which held-out given labels are most likely.

    Args:
        first: float (N, D), the embeddings of the samples, or of the first ones of pairs.
        second: float (N, D), those of the second ones of pairs; None for single samples.
        labels: int (N,), the given labels.
        classes: the number of classes C.

    Returns:
        float64 (N, C), rows sum to 1; the classes' frequencies if fewer than two classes have two samples.

    >>> vectors, labels = np.array([[1.0, 0.0], [0.0, 1.0]] * 8), np.array([0, 1] * 8)
    >>> labels[0] = 1  # a wrong label, which the model of the other samples contradicts
    >>> predict(vectors, None, labels, 2)[0].argmax()
    0
    """
    counts = np.bincount(labels, minlength=classes)
    if (counts > 1).sum() < 2:
        return np.tile(counts / max(len(labels), 1), (len(labels), 1))
    features, folds = _EmbeddingFeatures(first, second), witnesses.folds_of(labels)
    max_rows = max(2 * classes, MAX_PRODUCTS // (features.width * classes))
    folds = [(witnesses.part_of(train, max_rows), held_out) for train, held_out in folds]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "lbfgs failed to converge", UserWarning)
        inverse = _strength(features, labels, classes, folds[0])
        probs = witnesses.out_of_fold(_linear(inverse), features, labels, classes, folds)
    return witnesses.mix_with_frequencies(probs, labels)


class _EmbeddingFeatures:
    """Compute the features of rows when they are asked for: those of pairs take twice the memory of both embeddings."""

    def __init__(self, first: np.ndarray, second: np.ndarray | None) -> None:
        self.parts = [first] if second is None else [first, second]
        center = np.mean([part.mean(axis=0, dtype=np.float64) for part in self.parts], axis=0)
        self.center = center.astype(np.float32)
        squares = np.mean([_squares(part, self.center) for part in self.parts])
        self.factor = np.float32(np.sqrt(len(first) / squares)) if squares else np.float32(1)
        self.width = first.shape[1] * (1 if second is None else 4)

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        u, *rest = ((part[rows] - self.center) * self.factor for part in self.parts)
        return np.hstack([u, rest[0], abs(u - rest[0]), u * rest[0]]) if rest else u


def _squares(part, center):
    """Return the sum of squared distances of rows to a center, without a copy of all rows."""
    blocks = np.array_split(part, -(-len(part) // witnesses.BLOCK))
    return sum(float(np.square(block - center).sum(dtype=np.float64)) for block in blocks)


def _strength(features, labels, classes, fold):
    """Return the inverse strength of regularization with the largest likelihood of the given labels in a fold.

    The likelihood rises with the strength's inverse and then falls, so what comes after the first fall is not tried.
    """
    train, held_out = (witnesses.part_of(rows, MAX_CHOOSING) for rows in fold)
    best, highest = STRENGTHS[0], -np.inf
    for inverse in STRENGTHS:
        probs = witnesses.out_of_fold(_linear(inverse), features, labels, classes, [(train, held_out)])
        probs = witnesses.mix_with_frequencies(probs[held_out], labels)
        likelihood = label_values(log_of(probs), labels[held_out]).mean()
        if likelihood <= highest:
            break
        best, highest = inverse, likelihood
    return best


def _linear(inverse):
    """Return a function that makes a linear model of all classes, whatever the number of rows.

    Embeddings are dense and of few numbers, so that this takes a tenth of the time of one model per class.
    """
    from sklearn.linear_model import LogisticRegression

    return lambda rows: LogisticRegression(C=inverse, max_iter=MAX_STEPS, tol=1e-4)
