"""What can be chosen of a map: the same keys in a notebook and in `conf/plot.yaml`."""

from dataclasses import dataclass, fields, replace
from typing import Any

from datamap.errors import MapError, did_you_mean
from datamap.ranges import check, number


@dataclass
class MapOptions:
    """Which samples a map shows, and how it looks.

    Attributes:
        criterion, threshold: only samples whose column `criterion` is at least `threshold`; None = all.
        use_f_times, use_l_times: 0 or more: colour by forgetting or learning events, samples with at least so many.
        dirty_label: colour by s_label.
        color: colour by this numeric column.
        x, y: numeric columns of the summary.
        regions: shade the regions (on the axes label_var and avg_probs only).
        marginals: histograms of confidence, variability and correctness below the map.
        contours: lines around the densest 50, 80 and 95 % of the samples.
        facet: a column with few values: one map per value, on the same axes.
        lang: of the words on the map, "en" or "zh".
        width, height: inches; dpi: pixels per inch.
    """

    criterion: str | None = None
    threshold: float = 0
    use_f_times: int = number(low=-1, default=-1)
    use_l_times: int = number(low=-1, default=-1)
    dirty_label: bool = False
    color: str | None = None
    x: str = "label_var"
    y: str = "avg_probs"
    regions: bool = True
    marginals: bool = False
    contours: bool = False
    facet: str | None = None
    lang: str = number(choices=("en", "zh"), default="en")
    width: float = number(low=3, high=40, default=7.2)
    height: float = number(low=2, high=40, default=5.4)
    dpi: int = number(low=50, high=1200, default=160)


MOST_PIXELS = 60_000_000  # some 12 bytes of memory each while they are drawn and written


def refuse_too_large(width: float, height: float, dpi: int) -> None:
    """Refuse a picture that memory may not hold.

    Raises:
        MapError: it has more than `MOST_PIXELS`; says which dpi is possible.
    """
    pixels = width * height * dpi**2
    if pixels > MOST_PIXELS:
        possible = int((MOST_PIXELS / width / height) ** 0.5)
        raise MapError(
            f"a picture of {width:g} × {height:g} inches with dpi={dpi} has {pixels / 1e6:,.0f} million pixels, more "
            f"than the {MOST_PIXELS / 1e6:.0f} million allowed: set dpi={possible} or less, "
            "or svg=true, or draw it smaller"
        )


def chosen(options: MapOptions | None, keywords: dict[str, Any]) -> MapOptions:
    """`options` (the defaults when None) with the keywords put in, checked.

    Raises:
        MapError: there is no such option, or the picture would be too large.
        ConfigError: a value is out of its range.
    """
    known = [key.name for key in fields(MapOptions)]
    for name in keywords:
        if name not in known:
            raise MapError(
                f"a map has no option {name!r}{did_you_mean(name, known)} (options: {', '.join(known)})"
            )
    found = replace(options or MapOptions(), **keywords)
    check(found)
    refuse_too_large(found.width, found.height, found.dpi)
    return found
