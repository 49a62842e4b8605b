"""Turn the options of a map into a plan: the samples to show, the column that colors them, and the map's name."""

import re
from typing import NamedTuple

import numpy as np
import pandas as pd

from datamap.errors import MapError
from datamap.maps import scales
from datamap.maps.groups import GROUPINGS, numeric_column
from datamap.maps.options import MapOptions

MAX_FACETS = 12
DEFAULTS = {"x": "label_var", "y": "avg_probs", "facet": None, "marginals": False, "contours": False}


class Filter(NamedTuple):
    """Keep the samples whose `column` is at least `threshold`."""

    column: str
    threshold: float

    def __str__(self) -> str:
        return f"{self.column} ≥ {self.threshold:g}"


class Plan(NamedTuple):
    """Describe a map; `name` is the stable name of its file and image series."""

    color: str
    filters: tuple[Filter, ...]
    name: str


def make_plan(options: MapOptions) -> Plan:
    """Derive color, filters and stable name of a map from its options.

    Raises:
        MapError: two options both choose the colors, or there is a threshold and no column.
    """
    asked: dict[str, tuple[str, int]] = {
        "use_f_times": ("forgetting_times", options.use_f_times),
        "use_l_times": ("learnt_times", options.use_l_times),
        "dirty_label": ("s_label", 0 if options.dirty_label else -1),
        "color": (options.color or "", 0 if options.color else -1),
    }
    given = [option for option, (_, least) in asked.items() if least >= 0]
    if len(given) > 1:
        raise MapError(f"{' and '.join(given)} both choose the colors; set one of them (criterion= filters)")
    if options.threshold and not options.criterion:
        raise MapError(
            f"threshold={options.threshold:g} is for criterion=<column>; give both, or leave it out"
        )
    color, least = asked[given[0]] if given else ("correct_ratio", 0)
    filters = [Filter(color, least)] if least > 0 else []
    filters += [Filter(options.criterion, options.threshold)] if options.criterion else []
    return Plan(color, tuple(filters), _name(options, color, filters))


def _name(options, color, filters):
    named = GROUPINGS[color].map_name if color in GROUPINGS else f"data_map-color_{color}"
    parts = [f"{f.column}_ge_{f.threshold:g}" for f in filters]
    for key, usual in DEFAULTS.items():
        value = getattr(options, key)
        if value != usual:
            parts.append(key if value is True else f"{key}_{value}")
    # MLflow's names are ASCII, a column's name need not be: what is wrong with it is said when the columns are known.
    return re.sub(
        r"[^\w.-]|\.(?=\.)",
        lambda found: "_" if found[0].isascii() else f"u{ord(found[0]):x}",
        "-".join([named, *parts]),
        flags=re.ASCII,
    )


def shown(summary: pd.DataFrame, plan: Plan, options: MapOptions, unit: str = "sample") -> pd.DataFrame:
    """Select the rows that a map shows, and check the columns that its options name.

    Raises:
        MapError: a column is missing or not numeric, no row passes the filters, or there are too many facets.
    """
    for option in ("x", "y", "color", "facet"):
        if getattr(options, option):
            numeric_column(summary, getattr(options, option), option)
    found = select(summary, plan.filters, unit)
    if options.facet:
        facets(found, options.facet)
    return found


def facets(samples: pd.DataFrame, column: str) -> np.ndarray:
    """Return the values of a column that divides samples into maps, ascending.

    Raises:
        MapError: there are more than `MAX_FACETS`.
    """
    values = scales.values(samples, column)
    distinct = np.unique(values[np.isfinite(values)])
    if len(distinct) > MAX_FACETS:
        raise MapError(
            f"facet={column} has {len(distinct):,} values, and a picture holds at most {MAX_FACETS} maps; "
            f"select some with criterion={column}, or set color={column} instead"
        )
    return distinct


def select(summary: pd.DataFrame, filters: tuple[Filter, ...], unit: str = "sample") -> pd.DataFrame:
    """Select the rows that pass every filter; `unit` is what a row is: "sample", "token" or "label".

    Raises:
        MapError: a column is missing or not numeric, or no row passes; the message names the column's range.
    """
    for name, threshold in filters:
        values = summary[numeric_column(summary, name, "criterion")]
        kept = summary[values >= threshold]
        if kept.empty:
            raise MapError(
                f"no {unit} has {name} ≥ {threshold:g}: the {len(summary):,} {unit}s have {name} from "
                f"{values.min():g} to {values.max():g}; lower the threshold"
            )
        summary = kept
    return summary
