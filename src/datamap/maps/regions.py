"""The regions of a data map: easy to learn, ambiguous, hard to learn, and the noisy corner."""

from typing import NamedTuple

import numpy as np

NAMES = ("easy to learn", "ambiguous", "hard to learn", "noisy?")
EASY, AMBIGUOUS, HARD, NOISY = range(4)


class Limits(NamedTuple):
    """Where regions meet, the same in all runs, so that their maps can be compared.

    Swayamdipta et al. (2020, sec. 2) name the regions and give no borders: these are ours.
    """

    variance: float = 0.04  # label_var from here on: ambiguous (variability 0.2)
    confidence: float = 0.5  # avg_probs below: hard to learn
    noisy: float = 0.25  # avg_probs below: the noisy corner


LIMITS = Limits()


def limits_at(summary, quantiles):
    """`Limits` of one run: the values that lie at these quantiles of its label_var and avg_probs.

    Args:
        summary: DataFrame with the columns label_var and avg_probs.
        quantiles: `Limits` of numbers in [0, 1].
    """
    return Limits(
        float(summary["label_var"].quantile(quantiles.variance)),
        float(summary["avg_probs"].quantile(quantiles.confidence)),
        float(summary["avg_probs"].quantile(quantiles.noisy)),
    )


def of(summary, limits=LIMITS):
    """Region of each sample: int array (samples,) of places in `NAMES`.

    >>> import pandas as pd
    >>> of(pd.DataFrame({"label_var": [0, 0.2, 0, 0], "avg_probs": [0.9, 0.5, 0.4, 0.1]})).tolist()
    [0, 1, 2, 3]
    """
    mean, variance = summary["avg_probs"].to_numpy(), summary["label_var"].to_numpy()
    return np.select(
        [variance >= limits.variance, mean >= limits.confidence, mean >= limits.noisy],
        [AMBIGUOUS, EASY, HARD],
        NOISY,
    )
