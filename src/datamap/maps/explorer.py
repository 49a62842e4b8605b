"""The explorer: a data map as one HTML file that needs no network and no server."""

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from datamap import pages, schema, translations
from datamap.maps import groups, marks, regions
from datamap.translations import word

PAGE = Path(__file__).parent / "explorer_page"
SCRIPTS = (
    "data",
    "groups",
    "points",
    "background",
    "pointer",
    "table",
    "controls",
)  # one script, in this order
MOST = 100_000  # samples that a page holds; beyond, a seeded subsample
MISSING = 65_535
MEANINGS = schema.SUMMARY_COLUMNS | schema.FURTHER_COLUMNS  # shown where the pointer rests on a column's name


def subsample(summary: pd.DataFrame, most: int = MOST, seed: int = 0) -> np.ndarray:
    """Rows of at most `most` samples, ascending: all of the rare groups, of the others a random part.

    A sample is as rare as its smallest group by correctness, forgetting, learning, kind and label.
    At most half of the rows go to rarity, the rarest first.
    """
    if len(summary) <= most:
        return np.arange(len(summary))
    _, label, counts = np.unique(summary["label"].to_numpy(), return_inverse=True, return_counts=True)
    rarity = counts[label]
    for grouping in groups.GROUPINGS.values():
        for group in groups.split(summary, grouping.rules):
            rarity[group.mask] = np.minimum(rarity[group.mask], int(group.mask.sum()))
    rare = np.argsort(rarity, kind="stable")[: most // 2]
    rare = rare[rarity[rare] <= most // 20]
    rest = np.setdiff1d(np.arange(len(summary)), rare)
    drawn = np.random.default_rng(seed).choice(rest, most - len(rare), replace=False)
    return np.sort(np.concatenate([rare, drawn]))


def page(
    summary: pd.DataFrame,
    trajectories: Any,
    texts: dict[str, list[str]],
    class_names: tuple = (),
    title: str = "",
    full: pd.DataFrame | None = None,
    unit: str = "epoch",
    lang: str = "en",
) -> bytes:
    """The explorer of some samples as the bytes of an HTML file.

    Args:
        summary: DataFrame with the columns of summary.tsv, one row per sample (`MOST` at most).
        trajectories: `trajectories.Trajectories` of the same samples, in order.
        texts: {column name: texts of the samples}, may be empty.
        class_names: of the values of `label`, by index.
        full: where these are some samples of a run, the summary of all; colours and scales are those of its map.
        title: the page's heading.
        unit: of an observation's number, "epoch" or "step".
        lang: of the words that are ours, "en" or "zh".
    """
    classes = tuple(map(str, class_names))
    data = {
        **{"title": title, "note": _note(summary, full, lang), "unit": unit, "classes": classes},
        "words": translations.ZH if lang == "zh" else {},
        "meanings": {name: text for name, text in MEANINGS.items() if name in summary},
        **_samples(summary, trajectories, texts),
        **_looks(summary, full, classes, lang),
    }
    return pages.assemble(PAGE, [PAGE / f"{name}.js" for name in SCRIPTS], data, lang)


def _note(summary, full, lang):
    """How many samples the page shows, and of how many."""
    if full is None or len(full) == len(summary):
        return word("{total} samples", lang, total=f"{len(summary):,}")
    some = "{shown} samples of {total}: all of rare groups, the others drawn at random (seed 0)"
    return word(some, lang, shown=f"{len(summary):,}", total=f"{len(full):,}")


def _samples(summary, trajectories, texts):
    """What is known of each sample, numbers as base64."""
    probs, predicted = trajectories.label_probs, trajectories.predicted
    scaled = np.where(np.isnan(probs), MISSING, np.round(np.nan_to_num(probs) * (MISSING - 1)))
    return {
        "count": len(summary),
        "numbers": list(trajectories.numbers),
        "ids": summary["id"].astype(str).tolist(),  # as text: JavaScript would round those above 2^53
        "texts": {name: list(values) for name, values in texts.items()},
        "columns": {name: _packed(summary[name], "<f4") for name in _numeric(summary)},
        "probs": _packed(scaled, "<u2"),
        "correct": _packed(trajectories.correct, "u1"),
        "predicted": None
        if predicted is None
        else _packed(np.where(predicted < 0, MISSING, predicted), "<u2"),
    }


def _numeric(summary):
    return [c for c in summary.columns if c != "id" and pd.api.types.is_numeric_dtype(summary[c])]


def _looks(summary, full, classes, lang):
    """How each column colours and scales the map, and its regions: as on the static maps."""
    columns = _numeric(summary)
    known = {name: full if full is not None and name in full else summary for name in columns}
    rules = {name: groups.rules_of(known[name], name, classes, lang) for name in columns}
    limits = {name: marks.axis_limits(known[name], name)[name] for name in columns}
    # The predictions are coloured as the labels are, with a group for those of no label's class.
    rules["pred_label"] = [
        *(rule._replace(ranges={"pred_label": rule.ranges["label"]}) for rule in rules["label"]),
        groups.Rule(word("other", lang), groups.CATEGORIES[-1], "", {"pred_label": (0, groups.INFINITY)}),
    ]
    limits["pred_label"] = limits["label"]
    last = groups.NO_VALUE._replace(name=word(groups.NO_VALUE.name, lang))
    return {
        "groupings": {name: [_as_data(rule) for rule in (*found, last)] for name, found in rules.items()},
        "limits": limits,
        "regions": [
            {
                "name": word(regions.NAMES[region], lang),
                "color": marks.REGION_COLORS[region],
                "x": _ends(x),
                "y": _ends(y),
            }
            for region, (x, y) in marks.region_boxes(
                regions.relative(summary if full is None else full)
            ).items()
        ],
    }


def _as_data(rule):
    ranges = {column: _ends(ends) for column, ends in rule.ranges.items()}
    return {"name": rule.name, "color": rule.color, "ranges": ranges}


def _ends(ends):
    """A range for the page: in single precision, null where it is open."""
    return [float(np.float32(end)) if np.isfinite(end) else None for end in ends]


def _packed(values, dtype):
    with np.errstate(over="ignore"):  # too large for single precision: infinite
        return base64.b64encode(np.ascontiguousarray(values, dtype).tobytes()).decode()
