"""Choose the axes and the borders of regions that a map is drawn on: a run's own, or those that all runs share."""

import math
from typing import NamedTuple

import numpy as np
import pandas as pd

from datamap.maps import regions
from datamap.maps.options import MapOptions

MARGIN = 0.025  # of an axis, at both ends
MAX_VALUE = float(np.finfo(np.float32).max)  # `groups` gives larger values no color either
UNIT_RANGE = ("avg_probs", "max_label_probs", "min_label_probs", "correct_ratio", "score")
CHUNK = 1 << 15  # samples at once
VARIABILITY = "variability"  # the paper's axis: the square root of label_var, at most 0.5
# Columns that have the same axis on every common scale.
RANGES = {
    VARIABILITY: (0.0, 0.5),
    "aleatoric": (0.0, 0.25),
    **dict.fromkeys(UNIT_RANGE, (0.0, 1.0)),
}


class Scale(NamedTuple):
    """Hold the columns of both axes, the axes' limits, and the borders of the regions, None without regions.

    `labeled` tells whether a confidence is the probability of a label: the samples have several.
    """

    x: str
    y: str
    bounds: regions.Box
    borders: regions.Limits | None
    labeled: bool

    def positions(self, samples: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Return x and y of the samples, NaN where a sample has no number."""
        return values(samples, self.x), values(samples, self.y)


def has_regions(options: MapOptions) -> bool:
    """Tell whether the map has regions: they are of the axes label_var and avg_probs."""
    return options.regions and (options.x, options.y) == ("label_var", "avg_probs")


def own(summary: pd.DataFrame, options: MapOptions) -> Scale:
    """Return the scale of a run's own map, which its samples fill."""
    bounds = axis_limits(summary, options.x), axis_limits(summary, options.y)
    borders = regions.relative_limits(summary) if has_regions(options) else None
    return Scale(options.x, options.y, bounds, borders, _classes(summary) > 1)


def common(summary: pd.DataFrame, options: MapOptions) -> Scale:
    """Return the scale that maps of all runs of some data share, independent of their samples.

    Variance is shown as its square root, which spreads small values: so 0 to 0.5 suits runs that hardly vary, too.
    Columns without a largest value, such as a loss, take the range of the samples.
    """
    x, y = (VARIABILITY if name == "label_var" else name for name in (options.x, options.y))
    bounds = _common_range(summary, x), _common_range(summary, y)
    classes, borders = _classes(summary), None
    if has_regions(options):
        limits = regions.common_limits(classes)
        borders = limits._replace(variance=limits.variance**0.5)
    return Scale(x, y, bounds, borders, classes > 1)


def _classes(summary):
    return summary["label"].nunique() if "label" in summary else 2


def _common_range(summary, column):
    if column not in RANGES:
        return axis_limits(summary, column)
    low, high = RANGES[column]
    room = MARGIN * (high - low)
    return low - room, high + room


def axis_limits(summary: pd.DataFrame, column: str) -> tuple[float, float]:
    """Return the ends of a column's axis with a margin, chosen so that maps of similar runs get the same axes.

    Variance reaches up to the next multiple of 0.05 (0.25 at most), probabilities range from 0 to 1, and other columns
    take the range of their values.
    """
    low, high = _extremes(summary[column])
    if column == "label_var":
        low, high = 0.0, min(0.25, 0.05 * max(1, math.ceil(high / 0.05)))
    elif column in UNIT_RANGE:
        low, high = 0.0, 1.0
    room = MARGIN * ((high - low) or 1.0)
    return low - room, high + room


def _extremes(column: pd.Series) -> tuple[float, float]:
    """Return the smallest and the largest value that is not too large; (0, 1) without one."""
    low, high = math.inf, -math.inf
    for start in range(0, len(column), CHUNK):
        values = column.iloc[start : start + CHUNK].to_numpy(float, na_value=np.nan)
        finite = values[np.abs(values) <= MAX_VALUE]
        low, high = min(low, finite.min(initial=math.inf)), max(high, finite.max(initial=-math.inf))
    return (float(low), float(high)) if low <= high else (0.0, 1.0)


def values(samples: pd.DataFrame, column: str) -> np.ndarray:
    """Return the numbers of a column, NaN where a sample has none; variability is computed where it is no column."""
    if column == VARIABILITY and column not in samples:
        return np.sqrt(values(samples, "label_var"))
    return samples[column].to_numpy(float, na_value=np.nan)
