"""Compare a model's accuracy with that of a constant prediction."""

import numpy as np

MIN_LEARNED = 0.1  # share of the constant prediction's errors that a model must avoid


def required_accuracy(labels: np.ndarray) -> float:
    """Return the accuracy below which a model has learned too little to tell wrong labels or hard samples.

    Always predicting the most common class is right with accuracy m, the share of that class. A model has learned
    something if it avoids at least `MIN_LEARNED` of the errors of that prediction: m + 0.1 (1 − m).

    Args:
        labels: int array (samples,), the given labels.

    >>> required_accuracy(np.array([0, 0, 0, 1]))
    0.775
    """
    most_common = float(np.unique(labels, return_counts=True)[1].max() / len(labels))
    return most_common + MIN_LEARNED * (1 - most_common)
