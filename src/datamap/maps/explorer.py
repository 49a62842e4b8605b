"""Build the explorer: a data map as one HTML file that needs neither network nor server."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from datamap.maps import groups, regions, scales
from datamap.maps.explorer_data import MAX_SAMPLES, ROWS, Texts, numeric, pack_samples
from datamap.maps.meanings import MEANINGS, ORDERED, UNLABELED
from datamap.translations import Amount, Phrase, chinese, word
from datamap.web import pages

PAGE = Path(__file__).parent / "explorer_page"


def subsample(summary: pd.DataFrame, count: int = MAX_SAMPLES) -> np.ndarray:
    """Choose at most `count` samples: all of the rare groups, and a random part of the others.

    A sample is as rare as the smallest group that it is in, among the groups by correctness, forgetting and learning
    events, planted kind and label. Rare samples take at most half of the places, the rarest first.

    Returns:
        the chosen rows of `summary`, ascending.
    """
    if len(summary) <= count:
        return np.arange(len(summary))
    rarity = _rarity(summary)
    rare = np.flatnonzero(rarity <= count // 20)
    rare = rare[np.argsort(rarity[rare], kind="stable")[: count // 2]]
    del rarity
    others = np.ones(len(summary), bool)
    others[rare] = False
    places = np.random.default_rng(0).choice(len(summary) - len(rare), count - len(rare), replace=False)
    drawn = np.flatnonzero(others)[places]
    return np.sort(np.concatenate([rare, drawn]))


def _rarity(summary: pd.DataFrame) -> np.ndarray:
    """Return the size of the smallest group that each sample is in, int32 (samples,); memory holds a few more bytes."""
    parts = [slice(start, start + ROWS) for start in range(0, len(summary), ROWS)]
    rarity = np.full(len(summary), len(summary), np.int32)
    for rules in (None, *(grouping.rules for grouping in groups.GROUPINGS.values())):
        codes = [_codes(summary.iloc[part], rules) for part in parts]
        most = max(int(code.max()) for code in codes)
        sizes = np.sum([np.bincount(code, minlength=most + 1) for code in codes], axis=0)
        for part, code in zip(parts, codes, strict=True):
            rarity[part] = np.minimum(rarity[part], sizes[code])
    return rarity


def _codes(summary: pd.DataFrame, rules: list[groups.Rule] | None) -> np.ndarray:
    """Return the place of each sample's group among the rules, uint8 (samples,); without rules its label."""
    if rules is None:
        return summary["label"].to_numpy()
    codes = np.zeros(len(summary), np.uint8)
    for place, group in enumerate(groups.split(summary, rules)):
        codes[group.mask] = place
    return codes


class Appearance(NamedTuple):
    """Say how a map of a summary looks.

    Attributes:
        total: number of its samples.
        rules: {column: rules by which it colors the map}.
        limits: {column: ends of its axis}.
        borders: borders of the regions.
    """

    total: int
    rules: dict[str, list[groups.Rule]]
    limits: dict[str, tuple[float, float]]
    borders: regions.Limits

    @classmethod
    def from_summary(cls, summary: pd.DataFrame, class_names: tuple = (), lang: str = "en") -> "Appearance":
        """Return how a map of a summary looks, with the classes' names in the language of the page."""
        summary = _with_variability(summary)
        columns, classes = numeric(summary), tuple(map(str, class_names))
        return cls(
            len(summary),
            {name: groups.rules_of(summary, name, classes, lang) for name in columns},
            {name: scales.axis_limits(summary, name) for name in columns},
            regions.relative_limits(summary),
        )


def build_page(
    summary: pd.DataFrame,
    trajectories: Any,
    texts: Texts,
    class_names: tuple = (),
    title: str = "",
    full: Appearance | None = None,
    unit: str = "epoch",
    lang: str = "en",
    diagnosis: pd.DataFrame | None = None,
    next_step: tuple[str, str] | None = None,
    labeled: bool = True,
    curate: str | None = None,
    row: str = "sample",
) -> bytes:
    """Build the explorer as the bytes of an HTML file.

    Args:
        summary: DataFrame with the columns of summary.tsv, one row per sample (at most `MAX_SAMPLES`).
        trajectories: `trajectories.Trajectories` of the same samples, in the same order.
        texts: function from rows to {column name: their texts}; these may be empty.
        class_names: names of the values of `label`, by index.
        title: the page's heading.
        full: looks of the summary of all samples, where `summary` may hold a part; it decides colors and scales.
        unit: what the numbers of observations count, "epoch" or "step".
        lang: language of the page, "en" or "zh".
        diagnosis: DataFrame of the same samples, in the same order, with score (0 to 1), proposed (class index,
            −1 = none), and rank (1 = first) if only the scores' order means something; None if unknown.
        next_step: (purpose, command) of the next step to propose.
        labeled: False for a task without classes, whose labels say nothing and are not shown.
        curate: command that makes a training file of chosen samples, without their ids; None offers none.
        row: what a row of `summary` is, "sample" or a unit of one ("token", "label").
    """
    classes = tuple(map(str, class_names))
    if diagnosis is not None:
        summary = summary.assign(score=diagnosis["score"].to_numpy(float))
        if "rank" in diagnosis:
            summary = summary.assign(rank=diagnosis["rank"].array)
    samples = pack_samples(summary, trajectories, texts, diagnosis)
    meanings = (MEANINGS if "rank" not in summary else ORDERED) if labeled else UNLABELED
    data = {
        "title": title,
        "note": _note(summary, full, samples, len(trajectories.numbers), row, lang),
        "unit": unit,
        "labeled": labeled,
        "curate": curate,
        "inUnits": row != "sample",
        "classes": classes,
        **samples,
        "next": next_step and {"says": word(next_step[0], lang), "command": next_step[1]},
        "words": chinese("shown") if lang == "zh" else {},
        "meanings": {name: word(text, lang) for name, text in meanings.items()} | _of_units(row, lang),
        **_looks(summary, full, classes, lang),
    }
    return pages.assemble(PAGE, [PAGE / "start.js"], data, lang)


def _of_units(row, lang):
    """Return what the id means where a row is a unit of a sample."""
    meaning = "the sample's id and the {unit}'s position in it"
    return {} if row == "sample" else {"id": word(meaning, lang, unit=Phrase(row))}


def _note(summary, full, samples, observations, row, lang):
    """Say how many of the samples the page shows, and what did not fit into it."""
    total, shown = full.total if full else len(summary), len(summary)
    some = "{shown} of {total}: all of rare groups, the others drawn at random (seed 0)"
    every = Amount(total, row)
    parts = [word("{total}" if shown == total else some, lang, shown=f"{shown:,}", total=every)]
    kept = len(samples["numbers"])
    if kept < observations:
        parts.append(word("replay: {kept} of {total} observations", lang, kept=kept, total=observations))
    if samples["textRows"] is not None:
        which = "score" if "score" in summary else "avg_probs"
        text = "texts: the {count} most likely wrong by {which}"
        parts.append(word(text, lang, count=f"{samples['textCount']:,}", which=which))
    return word("; ", lang).join(parts)


def _looks(summary, full, classes, lang):
    """Return groups and scale of each column, and the regions, as on the static maps."""
    summary = _with_variability(summary)
    full = full or Appearance.from_summary(summary, classes, lang)
    rules, limits = {}, {}
    for name in numeric(summary):
        known = name in full.rules
        rules[name] = full.rules[name] if known else groups.rules_of(summary, name, classes, lang)
        limits[name] = full.limits[name] if known else scales.axis_limits(summary, name)
    # Predicted and proposed classes get the colors of the labels; classes that no label has form a group of their own.
    for other in ("pred_label", "proposed"):
        rules[other] = [
            *(rule._replace(ranges={other: rule.ranges["label"]}) for rule in rules["label"]),
            groups.Rule(word("other", lang), groups.CATEGORIES[-1], "", {other: (0, groups.INFINITY)}),
        ]
        limits[other] = limits["label"]
    last = groups.NO_VALUE._replace(name=word(groups.NO_VALUE.name, lang))
    return {
        "groupings": {name: [_as_data(rule) for rule in (*found, last)] for name, found in rules.items()},
        "limits": limits,
        "regions": regions.for_page(full.borders, lang),
    }


def _with_variability(summary):
    """Add the paper's axis, the square root of label_var, which the page computes itself at every observation."""
    return summary.assign(variability=np.sqrt(summary["label_var"].to_numpy(float)))


def _as_data(rule):
    ranges = {column: regions.ends(ends) for column, ends in rule.ranges.items()}
    return {"name": rule.name, "color": rule.color, "ranges": ranges}
