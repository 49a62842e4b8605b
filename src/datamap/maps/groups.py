"""Which group (colour, marker, legend entry) a sample is in.

A grouping is a table of rules: a sample is in the group of the first rule that it fits. The explorer gets the same
tables as data, and both compare in single precision, so that a sample has the same colour in both.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd

from datamap.errors import MapError, did_you_mean, first_few
from datamap.schema import DIRTY, HARD, NORMAL
from datamap.translations import word

INFINITY = float("inf")


class Rule(NamedTuple):
    """A group by the values of its samples.

    `ranges` is {column: (low, high)}: a sample fits where low ≤ value < high in each; {} fits all.
    """

    name: str
    color: str
    marker: str
    ranges: dict[str, tuple[float, float]]


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
# Okabe and Ito's colours for the colour-blind, and viridis in six steps.
CATEGORIES = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#7f7f7f")
CATEGORY_MARKERS = ("o", "^", "s", "D", "v", "X", "P")
LOW_TO_HIGH = ("#440154", "#414487", "#2a788e", "#22a884", "#7ad151", "#e3cf1c")

NO_VALUE = Rule("no value", "#b0b0b0", "*", {})  # of samples that fit no other rule: NaN, infinite


class Grouping(NamedTuple):
    """Rules of a column that has groups of its own, the legend's title, and what its map is called."""

    title: str
    map_name: str
    rules: list[Rule]


def _rules(names, ranges, colors=WRONG_TO_RIGHT, markers=MARKERS):
    return [Rule(*row) for row in zip(names, colors, markers, ranges, strict=False)]


def _event_rules(column, verb, between):
    """0 events are split by whether the sample was never, sometimes or always right."""
    never, always = {"correct_ratio": (-INFINITY, 1e-9)}, {"correct_ratio": (1, INFINITY)}
    none = {column: (-INFINITY, 1)}
    return _rules(
        ("never right", f"{verb} 3 times or more", f"{verb} twice", f"{verb} once", between, "always right"),
        (
            {**none, **never}, {column: (3, INFINITY)}, {column: (2, 3)}, {column: (1, 2)},
            {**none, "correct_ratio": (1e-9, 1)}, {**none, **always},
        ),
    )  # fmt: skip


CORRECTNESS = _rules(
    ("0 to 0.2", "0.2 to 0.4", "0.4 to 0.6", "0.6 to 0.8", "0.8 to 1", "1 (always right)"),
    [{"correct_ratio": edges} for edges in pairwise((-INFINITY, 0.2, 0.4, 0.6, 0.8, 1, INFINITY))],
)
KINDS = _rules(
    ("dirty (flipped label)", "hard", "normal"),
    [{"s_label": (kind, kind + 1)} for kind in (DIRTY, HARD, NORMAL)],
    ("#a50026", "#e69f00", "#9ab8d3"),
    ("X", "^", "o"),
)

# Column → its grouping: forgetting and learning events as Toneva et al. (2019) count them.
GROUPINGS = {
    "correct_ratio": Grouping("correct_ratio", "data_map", CORRECTNESS),
    "forgetting_times": Grouping(
        "forgetting events",
        "forgetting_map",
        _event_rules("forgetting_times", "forgotten", "learnt and kept"),
    ),
    "learnt_times": Grouping(
        "learning events", "learnt_map", _event_rules("learnt_times", "learnt", "right at first, lost")
    ),
    "s_label": Grouping("planted kind", "dirty_map", KINDS),
}


def rules_of(summary: pd.DataFrame, column: str, class_names: tuple = (), lang: str = "en") -> list[Rule]:
    """The rules by which a numeric column colours a map.

    Args:
        summary: DataFrame, one row per sample.
        column: one of `GROUPINGS`; `label`: a rule per class; any other: a rule per value where there are few whole
            ones, else six steps of equal width.
        class_names: what the values 0, 1, … of the column `label` are called; never translated.
        lang: of the names that are ours.
    """
    if column in GROUPINGS:
        return [rule._replace(name=word(rule.name, lang)) for rule in GROUPINGS[column].rules]
    values = _single(summary[column])
    finite = values[np.isfinite(values)]
    distinct = np.unique(finite if column == "label" else finite[:100_000])
    few = (
        len(distinct) <= 6
        and pd.api.types.is_integer_dtype(summary[column])
        and np.isin(finite, distinct).all()
    )
    if column == "label" or (few and len(distinct) and np.abs(distinct).max() < 1 << 24):
        return _by_value(column, finite, class_names if column == "label" else (), lang)
    return _by_steps(column, finite, lang)


def _by_value(column, values, names, lang):
    """A rule per value; of more classes than there are colours, the rare ones share the last."""
    distinct, counts = np.unique(values, return_counts=True)
    room = len(CATEGORIES) - (len(distinct) > len(CATEGORIES))
    shown = [int(distinct[i]) for i in sorted(np.argsort(counts, kind="stable")[::-1][:room])]
    called = [str(names[v]) if 0 <= v < len(names) else str(v) for v in shown]
    ranges: list[dict[str, tuple[float, float]]] = [{column: (v, v + 1)} for v in shown]
    colors = CATEGORIES if column == "label" else LOW_TO_HIGH[:: 6 // max(1, len(shown))]
    if len(shown) < len(distinct):
        called, ranges = [*called, word("other", lang)], [*ranges, {column: (-INFINITY, INFINITY)}]
    return _rules(called, ranges, colors, CATEGORY_MARKERS)


def _by_steps(column, values, lang):
    """Six steps from the lowest value to the highest; one where there is but one value."""
    if not len(values):
        return []
    low, high = float(values.min()), float(values.max())
    end = float(np.nextafter(np.float32(high), np.float32(np.inf)))
    if low == high:
        return _rules([f"{low:.3g}"], [{column: (low, end)}], LOW_TO_HIGH)
    edges = np.linspace(low, high, 7)
    names = [word("{low} to {high}", lang, low=f"{a:.3g}", high=f"{b:.3g}") for a, b in pairwise(edges)]
    bounds = pairwise((*edges[:-1].tolist(), end))
    return _rules(names, [{column: bound} for bound in bounds], LOW_TO_HIGH)


def split(summary: pd.DataFrame, rules: list[Rule], lang: str = "en") -> list[Group]:
    """The groups of the samples by these rules, and `NO_VALUE` where some fit none: each sample is in exactly one."""
    left = np.ones(len(summary), bool)
    columns = {name: _single(summary[name]) for rule in rules for name in rule.ranges}
    found = []
    for name, color, marker, ranges in rules:
        mask = left.copy()
        for column, (low, high) in ranges.items():
            mask &= (columns[column] >= np.float32(low)) & (columns[column] < np.float32(high))
        left &= ~mask
        found.append(Group(name, color, marker, mask))
    if left.any():
        found.append(Group(word(NO_VALUE.name, lang), NO_VALUE.color, NO_VALUE.marker, left))
    return found


def _single(values):
    with np.errstate(over="ignore"):  # too large for single precision: infinite
        return values.to_numpy(float, na_value=np.nan).astype(np.float32)


def numeric_column(summary: pd.DataFrame, name: str, option: str) -> str:
    """`name`, if it is a numeric column of the summary; `option` is the one that named it.

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
