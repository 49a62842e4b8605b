"""Divide a data map into regions: easy to learn, ambiguous, hard to learn, and the noisy corner."""

import math
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from datamap.schema import REGIONS
from datamap.translations import word

Box = tuple[tuple[float, float], tuple[float, float]]  # ((left, right), (bottom, top))

NAMES = tuple(REGIONS.values())
EASY, AMBIGUOUS, HARD, NOISY = range(4)
COLORS = {EASY: "#e8f1f8", AMBIGUOUS: "#f5f3e7", HARD: "#fbeee6", NOISY: "#f8dcdc"}


class Limits(NamedTuple):
    """Hold the borders between regions.

    Swayamdipta et al. (2020, sec. 2) name the regions but give no borders; these values are our choice.
    """

    variance: float = 0.04  # label_var from here on: ambiguous (variability 0.2)
    confidence: float = 0.5  # avg_probs below: hard to learn
    noisy: float = 0.25  # avg_probs below: the noisy corner


LIMITS = Limits()
# For two classes, `relative_limits` turns them into LIMITS.
RELATIVE = Limits(variance=0.16, confidence=0.5, noisy=0.5)


def common_limits(classes: int, factors: Limits = RELATIVE) -> Limits:
    """Return borders that depend on the number of classes alone, so that they are the same for all runs of some data.

    Whether a probability is high depends on the number of classes C, since a guess has 1/C. So the border b of the easy
    region is the geometric mean of `factors.confidence` and 1/C: 0.5 with two classes, 0.07 with 100. The border of the
    noisy region is `factors.noisy` · b. A probability with mean b has a variance of at most b (1 − b), and a sample is
    ambiguous if its variance exceeds `factors.variance` of that.

    >>> common_limits(2)
    Limits(variance=0.04, confidence=0.5, noisy=0.25)
    """
    border = float(np.sqrt(factors.confidence / max(2, classes)))
    return Limits(factors.variance * border * (1 - border), border, factors.noisy * border)


def relative_limits(summary: pd.DataFrame, factors: Limits = RELATIVE) -> Limits:
    """Return borders that mean the same with few and many classes, and with few and many observations.

    They are those of `common_limits`, but the median variance of the run's easy samples is added to that of ambiguous
    ones, because easy samples vary too while the model learns them, and vary much when observations are few.

    Args:
        summary: DataFrame with the columns label_var, avg_probs and label (without label, two classes are assumed).
        factors: `Limits` of numbers in [0, 1].

    >>> import pandas as pd
    >>> frame = pd.DataFrame({"label_var": [0.0, 0.01], "avg_probs": [0.9, 0.3], "label": [0, 1]})
    >>> relative_limits(frame)
    Limits(variance=0.04, confidence=0.5, noisy=0.25)
    """
    common = common_limits(summary["label"].nunique() if "label" in summary else 2, factors)
    learned = summary["label_var"].to_numpy()[summary["avg_probs"].to_numpy() >= common.confidence]
    least = float(np.median(learned, overwrite_input=True)) if len(learned) else 0.0
    return common._replace(variance=common.variance + least)


def quantile_limits(summary: pd.DataFrame, quantiles: Limits) -> Limits:
    """Return the values at these quantiles of a run's label_var and avg_probs as borders.

    Args:
        summary: DataFrame with the columns label_var and avg_probs.
        quantiles: `Limits` of numbers in [0, 1].
    """
    return Limits(
        float(summary["label_var"].quantile(quantiles.variance)),
        float(summary["avg_probs"].quantile(quantiles.confidence)),
        float(summary["avg_probs"].quantile(quantiles.noisy)),
    )


def assign(summary: pd.DataFrame, limits: Limits = LIMITS) -> np.ndarray:
    """Assign a region to each sample: int array (samples,) of places in `NAMES`.

    >>> import pandas as pd
    >>> assign(pd.DataFrame({"label_var": [0, 0.2, 0, 0], "avg_probs": [0.9, 0.5, 0.4, 0.1]})).tolist()
    [0, 1, 2, 3]
    """
    mean, variance = summary["avg_probs"].to_numpy(), summary["label_var"].to_numpy()
    return np.select(
        [variance >= limits.variance, mean >= limits.confidence, mean >= limits.noisy],
        [AMBIGUOUS, EASY, HARD],
        NOISY,
    )


def boxes(limits: Limits) -> dict[int, Box]:
    """Return {region: ((left, right), (bottom, top))} on the axes label_var and avg_probs; open ends are infinite."""
    low, high = -math.inf, math.inf
    return {
        EASY: ((low, limits.variance), (limits.confidence, high)),
        HARD: ((low, limits.variance), (limits.noisy, limits.confidence)),
        NOISY: ((low, limits.variance), (low, limits.noisy)),
        AMBIGUOUS: ((limits.variance, high), (low, high)),
    }


def for_page(limits: Limits, lang: str) -> list[dict[str, Any]]:
    """Return the regions as a page draws them: name, color, and the ends of x and y, None where open."""
    return [
        {"name": word(NAMES[region], lang), "color": COLORS[region], "x": ends(x), "y": ends(y)}
        for region, (x, y) in boxes(limits).items()
    ]


def ends(of: tuple[float, float]) -> list[float | None]:
    """Return a range for a page: in single precision, None where it is open."""
    return [float(np.float32(end)) if np.isfinite(end) else None for end in of]
