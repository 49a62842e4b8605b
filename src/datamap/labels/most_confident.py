"""Select a model's most confident predictions: they are mostly right, so labels that differ are mostly wrong."""

import numpy as np

from datamap.labels.blocks import by_rows

SHARES = (0.1, 0.15, 0.2, 0.3)  # of the predictions of each class; what is counted is the mean over them


def most_confident(probs: np.ndarray, share: float) -> dict[int, np.ndarray]:
    """Return {class: rows of the most confident `share` of the predictions of that class}, the most confident first.

    >>> most_confident(np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]]), 0.5)
    {0: array([0]), 1: array([1])}
    """
    predicted = by_rows(lambda some: some.argmax(axis=1).astype(np.int32), probs)
    sureness, found = by_rows(lambda some: some.max(axis=1), probs), {}
    for label in np.flatnonzero(np.bincount(predicted)).tolist():
        rows = np.flatnonzero(predicted == label)
        values, count = sureness[rows], int(np.ceil(share * len(rows)))
        # Only those that may be among them are sorted: of millions of rows that takes most of the time.
        likely = np.flatnonzero(values >= np.partition(values, len(rows) - count)[len(rows) - count])
        found[label] = rows[likely[np.argsort(-values[likely], kind="stable")[:count]]]
    return found
