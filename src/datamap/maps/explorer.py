"""The explorer: a data map as one HTML file that needs no network and no server."""

import base64
import hashlib
import json
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import pandas as pd

from datamap import translations
from datamap.maps import groups, marks, regions

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
    script = "\n".join((PAGE / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS)
    style = (PAGE / "page.css").read_text(encoding="utf-8")
    data = json.dumps(
        _data(summary, trajectories, texts, class_names, title, full, unit, lang), ensure_ascii=False
    )
    page = Template((PAGE / "page.html").read_text(encoding="utf-8")).substitute(
        lang="zh-CN" if lang == "zh" else "en",
        style=style,
        script=script,
        style_hash=_hash(style),
        script_hash=_hash(script),
        # Inside <script> nothing but "<" can end the data or begin a tag.
        data=data.replace("<", "\\u003c"),
    )
    return page.encode("utf-8", "replace")


def _hash(text):
    """Of an inline script, for the policy that lets the page run no other."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _data(summary, trajectories, texts, class_names, title, full, unit, lang):
    probs, predicted = trajectories.label_probs, trajectories.predicted
    scaled = np.where(np.isnan(probs), MISSING, np.round(np.nan_to_num(probs) * (MISSING - 1)))
    classes = tuple(str(name) for name in class_names)
    columns = [c for c in summary.columns if c != "id" and pd.api.types.is_numeric_dtype(summary[c])]
    note = f"{len(summary):,} samples" if lang == "en" else f"{len(summary):,} 个样本"
    if full is not None and len(full) > len(summary):
        note += (
            f" of {len(full):,}: all of rare groups, the others drawn at random (seed 0)"
            if lang == "en"
            else f"（共 {len(full):,} 个）：稀有分组全部保留，其余随机抽取（种子 0）"
        )
    return {
        "title": title,
        "note": note,
        "words": translations.ZH if lang == "zh" else {},
        "count": len(summary),
        "unit": unit,
        "numbers": list(trajectories.numbers),
        "classes": classes,
        "ids": summary["id"].astype(str).tolist(),  # as text: JavaScript would round those above 2^53
        "texts": {name: list(values) for name, values in texts.items()},
        "columns": {name: _packed(summary[name], "<f4") for name in columns},
        "probs": _packed(scaled, "<u2"),
        "correct": _packed(trajectories.correct, "u1"),
        "predicted": None
        if predicted is None
        else _packed(np.where(predicted < 0, MISSING, predicted), "<u2"),
        "regions": [
            {
                "name": translations.word(regions.NAMES[region], lang),
                "color": marks.REGION_COLORS[region],
                "x": _ends(x),
                "y": _ends(y),
            }
            for region, (x, y) in marks.region_boxes(regions.relative(summary)).items()
        ],
        **_looks(summary, full, columns, classes, lang),
    }


def _looks(summary, full, columns, classes, lang):
    """How each column colours and scales the map: the rules and limits that the static maps have."""
    known = {name: full if full is not None and name in full else summary for name in columns}
    rules = {name: groups.rules_of(known[name], name, classes, lang) for name in columns}
    limits = {name: marks.axis_limits(known[name], name)[name] for name in columns}
    # The predictions are coloured as the labels are, with a group for those of no label's class.
    rules["pred_label"] = [
        *(rule._replace(ranges={"pred_label": rule.ranges["label"]}) for rule in rules["label"]),
        groups.Rule(
            translations.word("other", lang), groups.CATEGORIES[-1], "", {"pred_label": (0, groups.INFINITY)}
        ),
    ]
    limits["pred_label"] = limits["label"]
    last = groups.NO_VALUE._replace(name=translations.word(groups.NO_VALUE.name, lang))
    return {
        "groupings": {name: [_as_data(rule) for rule in (*found, last)] for name, found in rules.items()},
        "limits": limits,
    }


def _as_data(rule):
    ranges = {column: _ends(ends) for column, ends in rule.ranges.items()}
    return {"name": rule.name, "color": rule.color, "ranges": ranges}


def _ends(ends):
    """A range for the page: in single precision, null where it is open."""
    return [float(np.float32(end)) if np.isfinite(end) else None for end in ends]


def _packed(values, dtype):
    return base64.b64encode(np.ascontiguousarray(values, dtype).tobytes()).decode()
