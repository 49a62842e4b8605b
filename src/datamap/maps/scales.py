"""Choose the axes and the borders of regions that a map is drawn on: a run's own, or those that all runs share."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from datamap.maps import marks, regions
from datamap.maps.options import MapOptions

VARIABILITY = "variability"  # the paper's axis: the square root of label_var, at most 0.5
# Columns that have the same axis on every common scale.
RANGES = {
    VARIABILITY: (0.0, 0.5),
    "aleatoric": (0.0, 0.25),
    **dict.fromkeys(marks.UNIT_RANGE, (0.0, 1.0)),
}


class Scale(NamedTuple):
    """Hold the columns of both axes, the axes' limits, and the borders of the regions, None without regions."""

    x: str
    y: str
    bounds: regions.Box
    borders: regions.Limits | None

    def positions(self, samples: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Return x and y of the samples, NaN where a sample has no number."""
        return values(samples, self.x), values(samples, self.y)


def has_regions(options: MapOptions) -> bool:
    """Tell whether the map has regions: they are of the axes label_var and avg_probs."""
    return options.regions and (options.x, options.y) == ("label_var", "avg_probs")


def own(summary: pd.DataFrame, options: MapOptions) -> Scale:
    """Return the scale of a run's own map, which its samples fill."""
    bounds = marks.axis_limits(summary, options.x), marks.axis_limits(summary, options.y)
    borders = regions.relative_limits(summary) if has_regions(options) else None
    return Scale(options.x, options.y, bounds, borders)


def common(summary: pd.DataFrame, options: MapOptions) -> Scale:
    """Return the scale that maps of all runs of some data share, whatever their samples are.

    Variance is shown as its square root, which spreads small values: so 0 to 0.5 suits runs that hardly vary, too.
    Columns without a largest value, such as a loss, take the range of the samples.
    """
    x, y = (VARIABILITY if name == "label_var" else name for name in (options.x, options.y))
    bounds = _common_range(summary, x), _common_range(summary, y)
    if not has_regions(options):
        return Scale(x, y, bounds, None)
    borders = regions.common_limits(summary["label"].nunique() if "label" in summary else 2)
    return Scale(x, y, bounds, borders._replace(variance=borders.variance**0.5))


def _common_range(summary, column):
    if column not in RANGES:
        return marks.axis_limits(summary, column)
    low, high = RANGES[column]
    room = marks.MARGIN * (high - low)
    return low - room, high + room


def values(samples: pd.DataFrame, column: str) -> np.ndarray:
    """Return the numbers of a column, NaN where a sample has none; variability is computed where it is no column."""
    if column == VARIABILITY and column not in samples:
        return np.sqrt(values(samples, "label_var"))
    return samples[column].to_numpy(float, na_value=np.nan)
