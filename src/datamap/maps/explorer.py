"""The explorer: a data map as one HTML file that needs no network and no server."""

import base64
import hashlib
import json
from pathlib import Path
from string import Template

import numpy as np
import pandas as pd

from datamap import translations
from datamap.maps import groups, regions

PAGE = Path(__file__).parent / "explorer_page"
MOST = 100_000  # samples that a page holds; beyond, a seeded subsample
MISSING = 65_535


def subsample(summary, most=MOST, seed=0):
    """Places of at most `most` samples, ascending: rare groups whole, of the others a random part.

    A sample is as rare as its smallest group by correctness, forgetting, learning, kind and label.
    At most half of the places go to rarity, the rarest first.
    """
    if len(summary) <= most:
        return np.arange(len(summary))
    rarity = np.full(len(summary), len(summary))
    label = summary["label"].to_numpy()
    for by in groups.GROUPINGS.values():
        for group in by(summary):
            rarity[group.mask] = np.minimum(rarity[group.mask], int(group.mask.sum()))
    counts = np.bincount(label)
    rarity = np.minimum(rarity, counts[label])
    rare = np.argsort(rarity, kind="stable")[: most // 2]
    rare = rare[rarity[rare] <= most // 20]
    rest = np.setdiff1d(np.arange(len(summary)), rare)
    drawn = np.random.default_rng(seed).choice(rest, most - len(rare), replace=False)
    return np.sort(np.concatenate([rare, drawn]))


def page(summary, trajectories, texts, class_names=(), title="", total=None, unit="epoch", lang="en"):
    """The explorer of some samples as the bytes of an HTML file.

    Args:
        summary: DataFrame with the columns of summary.tsv, one row a sample (`MOST` at the most).
        trajectories: `trajectories.Trajectories` of the same samples, in order.
        texts: {column name: list of str}, may be empty.
        class_names: of the values of `label`, by index.
        total: how many samples the run has, where these are some of them.
        unit: of an observation's number, "epoch" or "step".
    """
    script = (PAGE / "page.js").read_text(encoding="utf-8")
    style = (PAGE / "page.css").read_text(encoding="utf-8")
    data = json.dumps(
        _data(summary, trajectories, texts, class_names, title, total, unit, lang), ensure_ascii=False
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


def _data(summary, trajectories, texts, class_names, title, total, unit, lang):
    probs, predicted = trajectories.label_probs, trajectories.predicted
    scaled = np.where(np.isnan(probs), MISSING, np.round(np.nan_to_num(probs) * (MISSING - 1)))
    classes = [str(name) for name in class_names]
    if not classes:
        classes = [str(k) for k in range(int(summary["label"].max()) + 1)]
    numeric = [name for name in summary.columns if pd.api.types.is_numeric_dtype(summary[name])]
    note = f"{len(summary):,} samples" if lang == "en" else f"{len(summary):,} 个样本"
    if total and total > len(summary):
        note += (
            f" of {total:,}: all of rare groups, the others drawn at random (seed 0)"
            if lang == "en"
            else f"（共 {total:,} 个）：稀有分组全部保留，其余随机抽取（种子 0）"
        )
    return {
        "title": title,
        "note": note,
        "words": translations.ZH if lang == "zh" else {},
        "count": len(summary),
        "unit": unit,
        "numbers": list(trajectories.numbers),
        "classes": classes,
        "ids": summary["id"].tolist(),
        "texts": {name: list(values) for name, values in texts.items()},
        "columns": {name: _packed(summary[name], "<f4") for name in numeric if name != "id"},
        "probs": _packed(scaled, "<u2"),
        "correct": _packed(trajectories.correct, "u1"),
        "predicted": None
        if predicted is None
        else _packed(np.where(predicted < 0, MISSING, predicted), "<u2"),
        "regions": regions.LIMITS._asdict(),
        "groupings": _groupings(summary, lang),
        "categories": groups.CATEGORIES,
        "low_to_high": groups.LOW_TO_HIGH,
    }


def _groupings(summary, lang):
    """{column: names and colours of its groups}, as on the static maps."""
    columns = {
        "correctness": "correct_ratio",
        "forgetting": "forgetting_times",
        "learning": "learnt_times",
        "kind": "s_label",
    }
    found = {columns[name]: by(summary.head(1)) for name, by in groups.GROUPINGS.items()}
    return {
        column: {"names": [translations.word(g.name, lang) for g in some], "colors": [g.color for g in some]}
        for column, some in found.items()
    }


def _packed(values, dtype):
    return base64.b64encode(np.ascontiguousarray(values, dtype)).decode()
