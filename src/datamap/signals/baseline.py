"""Compare a model's accuracy with that of a constant prediction."""

import numpy as np

MIN_LEARNED = 0.1  # share of the constant prediction's errors that a model must avoid


def required_accuracy(labels: np.ndarray) -> float:
    """Return the accuracy below which a model has learned too little to tell wrong labels or hard samples.

    Always predicting the most common class is right with accuracy m, the share of that class. A model has learned
    something if it avoids at least `MIN_LEARNED` of the errors of that prediction: m + 0.1 (1 − m). A task without
    classes has a single label, which no prediction can miss: nothing is required.

    Args:
        labels: int array (samples,), the given labels.

    >>> required_accuracy(np.array([0, 0, 0, 1]))
    0.775
    """
    return required_of(np.unique(labels, return_counts=True)[1])


def required_of(counts: np.ndarray) -> float:
    """Return the same from the number of samples of each class that there is, int (classes,)."""
    if len(counts) == 1:
        return 0.0
    most_common = float(counts.max() / counts.sum())
    return most_common + MIN_LEARNED * (1 - most_common)
