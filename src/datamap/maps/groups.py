"""Put samples into groups, each with a color, a marker and an entry in the legend.

A grouping is a table of rules: a sample belongs to the group of the first rule that it meets. The explorer gets the
same tables as data, and both compare in single precision, so that a sample has the same color in both.
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
    """Define a group by the values of its samples.

    `ranges` is {column: (low, high)}: a sample meets the rule if low ≤ value < high in each column; {} admits all.
    """

    name: str
    color: str
    marker: str
    ranges: dict[str, tuple[float, float]]


class Group(NamedTuple):
    """Hold what one color and one entry of the legend stand for; `mask` marks its samples."""

    name: str
    color: str
    marker: str
    mask: np.ndarray


# From wrong (red) to right (blue) in even steps of lightness, which people with the usual color vision deficiencies can
# tell apart; markers differ too, for print in gray. The ends are those of ColorBrewer's RdYlBu, the middle is darker.
WRONG_TO_RIGHT = ("#a50026", "#e34a33", "#f9a03f", "#8fb8d8", "#4a8cc2", "#1f3b73")
MARKERS = ("X", "v", "D", "s", "^", "o")
# The colors of Okabe and Ito for color-blind people, and viridis in six steps.
CATEGORIES = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#7f7f7f")
CATEGORY_MARKERS = ("o", "^", "s", "D", "v", "X", "P")
LOW_TO_HIGH = ("#440154", "#414487", "#2a788e", "#22a884", "#7ad151", "#e3cf1c")

NO_VALUE = Rule("no value", "#b0b0b0", "*", {})  # for samples that meet no other rule: NaN, infinite


class Grouping(NamedTuple):
    """Hold the rules of a column that has groups of its own, the legend's title and the map's name."""

    title: str
    map_name: str
    rules: list[Rule]


def _rules(names, ranges, colors=WRONG_TO_RIGHT, markers=MARKERS):
    return [Rule(*row) for row in zip(names, colors, markers, ranges, strict=False)]


FORGOTTEN = ("forgotten 3 times or more", "forgotten twice", "forgotten once")
LEARNED = ("learned 3 times or more", "learned twice", "learned once")


def _event_rules(column, events, between):
    """Make rules by number of events; split 0 events by how often the sample was right: never, sometimes, always."""
    never, always = {"correct_ratio": (-INFINITY, 1e-9)}, {"correct_ratio": (1, INFINITY)}
    none = {column: (-INFINITY, 1)}
    return _rules(
        ("never right", *events, between, "always right"),
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
        _event_rules("forgetting_times", FORGOTTEN, "learned and kept"),
    ),
    "learnt_times": Grouping(
        "learning events",
        "learnt_map",
        _event_rules("learnt_times", LEARNED, "right at first, then forgotten"),
    ),
    "s_label": Grouping("planted kind", "dirty_map", KINDS),
}


def rules_of(summary: pd.DataFrame, column: str, class_names: tuple = (), lang: str = "en") -> list[Rule]:
    """Return the rules by which a numeric column colors a map.

    Args:
        summary: DataFrame, one row per sample.
        column: a column of `GROUPINGS` has the rules there; `label` gets a rule per class; any other column a rule per
            value if it has at most six integers as values, else six steps of equal width.
        class_names: names of the values 0, 1, … of the column `label`; they are never translated.
        lang: language of all other names.
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
    """Make a rule per value; if there are more classes than colors, the rare ones share the last color."""
    distinct, counts = np.unique(values, return_counts=True)
    room = len(CATEGORIES) - (len(distinct) > len(CATEGORIES))
    shown = [int(distinct[i]) for i in sorted(np.argsort(-counts, kind="stable")[:room])]
    called = [str(names[v]) if 0 <= v < len(names) else str(v) for v in shown]
    ranges: list[dict[str, tuple[float, float]]] = [{column: (v, v + 1)} for v in shown]
    colors = CATEGORIES if column == "label" else LOW_TO_HIGH[:: 6 // max(1, len(shown))]
    if len(shown) < len(distinct):
        called, ranges = [*called, word("other", lang)], [*ranges, {column: (-INFINITY, INFINITY)}]
    return _rules(called, ranges, colors, CATEGORY_MARKERS)


def _by_steps(column, values, lang):
    """Make six steps from the lowest value to the highest; a single one if all values are equal."""
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
    """Split the samples into groups, each sample into the group of the first rule that it meets.

    Samples that meet no rule form the group `NO_VALUE`.
    """
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
    with np.errstate(over="ignore"):  # numbers too large for single precision become infinite
        return values.to_numpy(np.float32, na_value=np.nan)


def numeric_column(summary: pd.DataFrame, name: str, option: str) -> str:
    """Return `name` if it is a numeric column of the summary; `option` is the option that names it.

    Raises:
        MapError: it is not; the message lists the numeric columns.
    """
    columns = [c for c in summary.columns if isinstance(c, str) and pd.api.types.is_numeric_dtype(summary[c])]
    if name in columns:
        return name
    hint = did_you_mean(name, columns)
    raise MapError(
        f"{option}={name} is not a numeric column of the summary{hint} (columns: {first_few(columns, 40)})"
    )
