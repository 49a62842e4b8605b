"""Choose the predictions of which a model is surest: there it is right, and labels that differ are wrong."""

import numpy as np

SHARES = (0.1, 0.15, 0.2, 0.3)  # of the predictions of each class; what is counted is the mean over them


def surest(probs: np.ndarray, share: float) -> dict[int, np.ndarray]:
    """Return {class: rows of the surest `share` of the predictions of that class}.

    >>> surest(np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]]), 0.5)
    {0: array([0]), 1: array([1])}
    """
    predicted, sureness, found = probs.argmax(axis=1), probs.max(axis=1), {}
    for label in np.unique(predicted).tolist():
        rows = np.flatnonzero(predicted == label)
        found[label] = rows[np.argsort(-sureness[rows], kind="stable")[: int(np.ceil(share * len(rows)))]]
    return found
