"""Which samples a map shows, and which group (colour, marker, legend entry) each belongs to."""

import re
from itertools import pairwise
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


# Okabe and Ito's colours for the colour-blind, and viridis in six steps.
CATEGORIES = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#7f7f7f")
LOW_TO_HIGH = ("#440154", "#414487", "#2a788e", "#22a884", "#7ad151", "#e3cf1c")
CATEGORY_MARKERS = ("o", "^", "s", "D", "v", "X", "P")
CATEGORICAL = ("label", "s_label")


def by_column(summary, column, names=()):
    """Groups of any numeric column: one a value where there are few whole ones, else six of equal width.

    Args:
        summary: DataFrame, one row a sample.
        column: numeric column of it.
        names: what the values 0, 1, … of the column `label` are called.
    """
    values = summary[column].to_numpy()
    distinct = np.unique(values[:100_000]) if column not in CATEGORICAL else np.unique(values)
    whole = np.issubdtype(values.dtype, np.integer)
    if column in CATEGORICAL or (whole and len(distinct) <= 6 and np.isin(values, distinct).all()):
        return _by_value(values, distinct, names if column == "label" else (), column in CATEGORICAL)
    finite = values[np.isfinite(values)]
    edges = np.linspace(finite.min(), finite.max(), 7) if len(finite) else np.zeros(7)
    place = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, 5)
    names = [f"{low:.3g} to {high:.3g}" for low, high in pairwise(edges)]
    return _groups(names, np.where(np.isnan(values), -1, place), LOW_TO_HIGH)


def _by_value(values, distinct, names, categorical):
    """One group a value; of more classes than there are colours, the rare ones share the last."""
    counts = [(values == value).sum() for value in distinct]
    most = np.argsort(counts, kind="stable")[::-1][: len(CATEGORIES) - (len(distinct) > len(CATEGORIES))]
    shown = [distinct[i] for i in sorted(most)]
    colors = CATEGORIES if categorical else LOW_TO_HIGH[:: 6 // len(distinct)]
    looks = zip(shown, colors, CATEGORY_MARKERS, strict=False)
    found = [
        Group(str(names[v]) if v < len(names) else str(v), color, marker, values == v)
        for v, color, marker in looks
    ]
    if len(shown) < len(distinct):
        others = Group("other", CATEGORIES[-1], CATEGORY_MARKERS[-1], ~np.isin(values, shown))
        return [*found, others]
    return found


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


def _groups(names, place, colors=WRONG_TO_RIGHT):
    looks = zip(names, colors, MARKERS, strict=True)
    return [Group(name, color, marker, place == i) for i, (name, color, marker) in enumerate(looks)]


class Filter(NamedTuple):
    """Keep the samples whose `column` is at least `threshold`."""

    column: str
    threshold: float

    def __str__(self):
        return f"{self.column} ≥ {self.threshold:g}"


class Plan(NamedTuple):
    """What the options of a map ask for."""

    grouping: str  # a key of GROUPINGS, or a column to colour by
    filters: tuple
    name: str

    def groups(self, summary, class_names=()):
        """The groups of the samples in `summary`."""
        if self.grouping in GROUPINGS:
            return GROUPINGS[self.grouping](summary)
        return by_column(summary, self.grouping, class_names)


def plan(criterion=None, threshold=0, use_f_times=-1, use_l_times=-1, dirty_label=False, color=None):
    """Grouping, filters and stable name of the map that these options (DESIGN: "The map") ask for.

    Raises:
        MapError: two options that both choose the colours.
    """
    asked = {
        "use_f_times": ("forgetting", "forgetting_times", use_f_times),
        "use_l_times": ("learning", "learnt_times", use_l_times),
        "dirty_label": ("kind", None, 0 if dirty_label else -1),
        "color": (color, None, 0 if color else -1),
    }
    given = [option for option, (*_, least) in asked.items() if least >= 0]
    if len(given) > 1:
        raise MapError(
            f"{' and '.join(given)} both choose the colours; give one of them (criterion= filters)"
        )
    grouping, column, least = asked[given[0]] if given else ("correctness", None, 0)
    filters = [Filter(column, least)] if column and least > 0 else []
    filters += [Filter(criterion, threshold)] if criterion else []
    name = "-".join(
        [
            NAMES.get(grouping, f"data_map-color_{grouping}"),
            *(f"{f.column}_ge_{f.threshold:g}" for f in filters),
        ]
    )
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
