"""Which samples a map shows, and which group (colour, marker, legend entry) each belongs to."""

import re
from typing import NamedTuple

import numpy as np
import pandas as pd

from datamap.errors import MapError, did_you_mean, first_few
from datamap.schema import DIRTY, HARD, NORMAL


class Group(NamedTuple):
    """What one colour and legend entry stand for; `mask` says which samples are in it."""

    name: str
    color: str
    marker: str
    mask: np.ndarray


# From wrong (red) to right (blue), even in lightness steps; told apart by people with any of the
# usual colour deficiencies, and by marker in grey. Ends of ColorBrewer's RdYlBu, darker middle.
WRONG_TO_RIGHT = ("#a50026", "#e34a33", "#f9a03f", "#8fb8d8", "#4a8cc2", "#1f3b73")
MARKERS = ("X", "v", "D", "s", "^", "o")


def by_correctness(summary):
    """Six groups of `correct_ratio`: [0, .2) [.2, .4) [.4, .6) [.6, .8) [.8, 1) and exactly 1."""
    ratio = summary["correct_ratio"].to_numpy()
    # Rounded: 3 right of 5 is 0.6, however the ratio was divided and printed.
    place = np.minimum(np.floor(np.round(ratio * 5, 9)).astype(int), 4) + (ratio >= 1 - 1e-9)
    names = ("0 to 0.2", "0.2 to 0.4", "0.4 to 0.6", "0.6 to 0.8", "0.8 to 1", "1 (always right)")
    return _groups(names, place)


def by_forgetting(summary):
    """Six groups of `forgetting_times` (Toneva et al. 2019); 0 times is split by correctness."""
    return _by_events(summary, "forgetting_times", "forgotten", "learnt and kept")


def by_learning(summary):
    """Six groups of `learnt_times`; 0 times is split by correctness."""
    return _by_events(summary, "learnt_times", "learnt", "right at first, lost")


def by_kind(summary):
    """Three groups of `s_label`: normal, hard, dirty."""
    kinds = (DIRTY, HARD, NORMAL)
    names = ("dirty (flipped label)", "hard", "normal")
    place = summary["s_label"].to_numpy()
    looks = (("#a50026", "X"), ("#e69f00", "^"), ("#9ab8d3", "o"))
    return [
        Group(name, color, marker, place == kind)
        for kind, name, (color, marker) in zip(kinds, names, looks, strict=True)
    ]


GROUPINGS = {
    "correctness": by_correctness,
    "forgetting": by_forgetting,
    "learning": by_learning,
    "kind": by_kind,
}

LEGEND_TITLES = {
    "correctness": "correct_ratio",
    "forgetting": "forgetting events",
    "learning": "learning events",
    "kind": "planted kind",
}


def _by_events(summary, column, verb, between):
    times = summary[column].to_numpy()
    ratio = summary["correct_ratio"].to_numpy()
    never, always = ratio <= 1e-9, ratio >= 1 - 1e-9
    place = np.where(times >= 1, np.minimum(times, 3) - 1, np.where(never, 0, np.where(always, 5, 4)))
    place = np.where(times >= 1, 3 - place, place)  # ≥ 3, 2, 1 times stand at 1, 2, 3
    names = (
        "never right",
        f"{verb} 3 times or more",
        f"{verb} twice",
        f"{verb} once",
        between,
        "always right",
    )
    return _groups(names, place)


def _groups(names, place):
    looks = zip(names, WRONG_TO_RIGHT, MARKERS, strict=True)
    return [Group(name, color, marker, place == i) for i, (name, color, marker) in enumerate(looks)]


class Filter(NamedTuple):
    """Keep the samples whose `column` is at least `threshold`."""

    column: str
    threshold: float

    def __str__(self):
        return f"{self.column} ≥ {self.threshold:g}"


class Plan(NamedTuple):
    """What the options of a map ask for."""

    grouping: str
    filters: tuple
    name: str


def plan(criterion=None, threshold=0, use_f_times=-1, use_l_times=-1, dirty_label=False):
    """Grouping, filters and stable name of the map that these options (DESIGN: "The map") ask for.

    Raises:
        MapError: two options that both choose the colours.
    """
    asked = {
        "use_f_times": ("forgetting", "forgetting_times", use_f_times),
        "use_l_times": ("learning", "learnt_times", use_l_times),
        "dirty_label": ("kind", None, 0 if dirty_label else -1),
    }
    given = [option for option, (*_, least) in asked.items() if least >= 0]
    if len(given) > 1:
        raise MapError(
            f"{' and '.join(given)} both choose the colours; give one of them (criterion= filters)"
        )
    grouping, column, least = asked[given[0]] if given else ("correctness", None, 0)
    filters = [Filter(column, least)] if column and least > 0 else []
    filters += [Filter(criterion, threshold)] if criterion else []
    name = "-".join([NAMES[grouping], *(f"{f.column}_ge_{f.threshold:g}" for f in filters)])
    return Plan(grouping, tuple(filters), re.sub(r"[^\w.-]", "_", name))


NAMES = {
    "correctness": "data_map",
    "forgetting": "forgetting_map",
    "learning": "learnt_map",
    "kind": "dirty_map",
}


def select(summary, filters):
    """The samples that pass every filter.

    Raises:
        MapError: a column is not there or not numeric, or nothing passes (with the column's range).
    """
    for name, threshold in filters:
        values = summary[numeric_column(summary, name, "criterion")]
        kept = summary[values >= threshold]
        if kept.empty:
            raise MapError(
                f"no sample has {name} ≥ {threshold:g}: it runs from {values.min():g} to "
                f"{values.max():g} over {len(summary)} samples; nothing was drawn"
            )
        summary = kept
    return summary


def numeric_column(summary, name, option):
    """`name`, if it is a numeric column of the summary.

    Raises:
        MapError: it is not; lists the columns that are.
    """
    columns = [c for c in summary.columns if pd.api.types.is_numeric_dtype(summary[c])]
    if name in columns:
        return name
    hint = did_you_mean(name, columns)
    raise MapError(
        f"{option} {name!r} is not a numeric column of the summary{hint} (columns: {first_few(columns, 40)})"
    )
