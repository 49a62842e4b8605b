"""Define the options of a map, which are the same in a notebook and in `conf/plot.yaml`."""

import numbers
from dataclasses import dataclass, fields, replace
from typing import Any, get_args

from datamap.errors import ConfigError, MapError, did_you_mean, shortened
from datamap.ranges import check, number, option


@dataclass
class MapOptions:
    """Choose which samples a map shows, and how it looks.

    Attributes:
        criterion: a numeric column; show only samples whose value is at least `threshold`. None = all samples.
        threshold: the smallest value of `criterion` to show.
        use_f_times: 0 or more: color by forgetting events, and show samples with at least this many; -1 = off.
        use_l_times: 0 or more: color by learning events, and show samples with at least this many; -1 = off.
        dirty_label: color by planted kind (s_label).
        color: color by this numeric column.
        x: numeric column of the horizontal axis.
        y: numeric column of the vertical axis.
        regions: shade the regions, if the axes are label_var and avg_probs.
        marginals: draw histograms of confidence, variability and correctness below the map.
        contours: draw lines around the densest 50, 80 and 95 % of the samples.
        facet: a column with at most 12 values; draw one map per value, all on the same axes.
        lang: language of the map, "en" or "zh".
        width: of the picture, in inches.
        height: of the picture, in inches.
        dpi: pixels per inch.

    >>> MapOptions(color="label", marginals=True).lang
    'en'
    """

    criterion: str | None = None
    threshold: float = number(default=0)
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
    lang: str = option("en", "zh", default="en")
    width: float = number(low=3, high=40, default=7.2)
    height: float = number(low=2, high=40, default=5.4)
    dpi: int = number(low=50, high=1200, default=160)


MAX_PIXELS = 60_000_000  # each takes about 12 bytes of memory while the picture is drawn and written


def check_size(width: float, height: float, dpi: int) -> None:
    """Check that a picture fits into memory.

    Raises:
        MapError: it has more than `MAX_PIXELS`; the message says which dpi is possible.
    """
    pixels = width * height * dpi**2
    if pixels > MAX_PIXELS:
        possible = int((MAX_PIXELS / width / height) ** 0.5)
        raise MapError(
            f"{width:g} × {height:g} inches with dpi={dpi} make {pixels / 1e6:,.0f} million pixels, more than the "
            f"{MAX_PIXELS / 1e6:.0f} million allowed: set dpi={possible} or less, svg=true, or a smaller size"
        )


def merge_options(options: MapOptions | None, keywords: dict[str, Any]) -> MapOptions:
    """Return `options` (the defaults if None) with the keywords put in, and check them.

    Raises:
        MapError: an option does not exist, or the picture would be too large.
        ConfigError: a value is out of its range.
    """
    known = [key.name for key in fields(MapOptions)]
    for name in keywords:
        if name not in known:
            raise MapError(
                f"a map has no option {name!r}{did_you_mean(name, known)} (options: {', '.join(known)})"
            )
    if options is not None and not isinstance(options, MapOptions):
        raise ConfigError(f"options={shortened(options)}: give MapOptions, or its fields as keywords")
    found = replace(options or MapOptions(), **keywords)
    for key in fields(found):
        _refuse_other_type(key.name, getattr(found, key.name), get_args(key.type) or (key.type,))
    check(found)
    check_size(found.width, found.height, found.dpi)
    return found


def _refuse_other_type(name: str, value: object, kinds: tuple[type, ...]) -> None:
    """Raise ConfigError where a value is of none of these types; any whole number is an int, any number a float."""
    abstract = {int: numbers.Integral, float: numbers.Real}
    good = isinstance(value, tuple(abstract.get(kind, kind) for kind in kinds))
    if not good or (isinstance(value, bool) and bool not in kinds):
        raise ConfigError(f"{name}={shortened(value)}: give {' or '.join(kind.__name__ for kind in kinds)}")
