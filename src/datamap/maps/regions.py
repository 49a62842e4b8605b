"""The regions of a data map: easy to learn, ambiguous, hard to learn, and the noisy corner."""

from typing import NamedTuple

import numpy as np
import pandas as pd

NAMES = ("easy to learn", "ambiguous", "hard to learn", "noisy?")
EASY, AMBIGUOUS, HARD, NOISY = range(4)


class Limits(NamedTuple):
    """Where regions meet. Swayamdipta et al. (2020, sec. 2) name the regions and give no borders: these are ours."""

    variance: float = 0.04  # label_var from here on: ambiguous (variability 0.2)
    confidence: float = 0.5  # avg_probs below: hard to learn
    noisy: float = 0.25  # avg_probs below: the noisy corner


LIMITS = Limits()
RELATIVE = Limits(
    variance=0.16, confidence=0.5, noisy=0.5
)  # what `relative` makes of them for two classes: LIMITS


def relative(summary: pd.DataFrame, factors: Limits = RELATIVE) -> Limits:
    """`Limits` that mean the same with few and many classes, and with few and many observations.

    What counts as sure depends on how sure a guess is: of C classes the border of easy is the geometric mean of
    `factors.confidence` and 1/C, 0.5 with two classes and 0.07 with 100, and that of noisy `factors.noisy` times it. A
    probability whose mean is that border b has a variance of at most b (1 − b): `factors.variance` of that is
    ambiguous, beyond the median of the easy samples, which vary while they are learnt: much, of few observations.

    Args:
        summary: DataFrame with the columns label_var, avg_probs and label (without it, there are two classes).
        factors: `Limits` of numbers in [0, 1].
    """
    classes = summary["label"].nunique() if "label" in summary else 2
    border = float(np.sqrt(factors.confidence / max(2, classes)))
    learnt = summary["label_var"][summary["avg_probs"] >= border]
    least = float(learnt.median()) if len(learnt) else 0.0
    return Limits(factors.variance * border * (1 - border) + least, border, factors.noisy * border)


def limits_at(summary: pd.DataFrame, quantiles: Limits) -> Limits:
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


def of(summary: pd.DataFrame, limits: Limits = LIMITS) -> np.ndarray:
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
