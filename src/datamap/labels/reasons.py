"""Explain why a label is likely wrong, for the column `why` of diagnosis.tsv."""

import functools
import re
from collections.abc import Callable, Collection, Sequence
from string import Formatter

import numpy as np
import pandas as pd

from datamap.labels.mislabel import RUN, WITNESSES, Evidence
from datamap.tasks.entities import KINDS
from datamap.translations import LANGUAGES, word

NEVER, RIGHT = "never predicted correctly", "right in {n} of {total} observations"
FORGOTTEN = "; forgotten {n} ×"
LOSS = "; mean loss {loss}"
TOKENS = "; {share} of {tokens} target tokens right"
SOURCES = {
    RUN: "; the model predicts {name} ({p})",
    "folds": "; models that never saw it predict {name} ({p})",
    **WITNESSES,
}
FIELDS = {"n": r"\d+", "total": r"\d+", "p": r"\d\.\d\d", "name": ".+?"}
FIELDS |= {"loss": r"\S+?", "share": r"\d+%", "tokens": r"\d+"}


def reasons(
    evidence: Evidence,
    rows: np.ndarray,
    proposed: np.ndarray,
    names: Sequence[str] | np.ndarray,
    lang: str,
    quoted: Collection[str],
) -> list[str]:
    """Describe the evidence for and against the labels of some samples.

    Args:
        evidence: of all samples.
        rows: int (rows,), the samples.
        proposed: int (samples,), class indices.
        names: class names by index.
        lang: "en" or "zh".
        quoted: the witnesses to quote (`mislabel.quotable_witnesses`).
    """
    total, labels = len(evidence.wrong), evidence.labels[rows]
    found = _told(evidence.correct_times[rows], lambda n: word(RIGHT if n else NEVER, lang, n=n, total=total))
    forgotten = _told(evidence.forgetting_times[rows], lambda n: word(FORGOTTEN, lang, n=n) if n else "")
    found = [before + after for before, after in zip(found, forgotten, strict=True)]
    witnesses = {RUN: evidence.mean, **evidence.unseen}
    if "linear" in witnesses:
        witnesses.pop("bigrams", None)  # both judge by characters
    for witness, text in SOURCES.items():
        whole = witnesses.get(witness)
        if whole is not None and witness in quoted:
            probs = whole[rows]
            said = probs.argmax(axis=1)
            # Most rows would say the same if agreement with the given label were quoted too.
            for row in np.flatnonzero((said != labels) | (proposed[rows] != labels)):
                p = f"{probs[row, said[row]]:.2f}"
                found[row] += word(text, lang, name=names[said[row]], p=p)
    return found


def _told(numbers: np.ndarray, tell: Callable[[int], str]) -> list[str]:
    """Return the text for each number; `tell` is called once for equal ones."""
    told = {number: tell(number) for number in np.unique(numbers).tolist()}
    return [told[number] for number in numbers.tolist()]


def number_reasons(summary: pd.DataFrame, lang: str) -> list[str]:
    """Describe the mean loss of each sample and its right target tokens, if the summary has them.

    Args:
        summary: DataFrame with the columns of summary.tsv.
        lang: "en" or "zh".
    """
    found = [""] * len(summary)
    if "loss_mean" in summary:
        found = [word(LOSS, lang, loss=f"{value:.2f}") for value in summary["loss_mean"]]
    if {"token_accuracy_mean", "tokens_mean"} <= set(summary):
        counts = zip(found, summary["token_accuracy_mean"], summary["tokens_mean"], strict=True)
        return [one + word(TOKENS, lang, share=f"{a:.0%}", tokens=round(n)) for one, a, n in counts]
    return found


def retold(why: str, lang: str, translated: Collection[str] = ()) -> str:
    """Return a reason of `reasons` in another language; a text that is not ours, such as an edited one, is unchanged.

    Args:
        why: the reason.
        lang: "en" or "zh".
        translated: names of classes that are said in that language too.

    >>> retold("right in 1 of 5 observations; forgotten 2 ×; similar texts suggest yes (0.91)", "zh")
    '5 次观测中 1 次预测正确；遗忘 2 次；相似文本多为 yes（0.91）'
    """
    for source in LANGUAGES:
        told, end = "", 0
        for template in (NEVER, RIGHT, FORGOTTEN, LOSS, TOKENS, *SOURCES.values(), *KINDS):
            found = _pattern(template, source).match(why, end)
            if found:
                fields = found.groupdict()
                if fields.get("name") in translated:
                    fields["name"] = word(fields["name"], lang)
                told, end = told + word(template, lang, **fields), found.end()
        if told and end == len(why):
            return told
    return why


@functools.cache
def _pattern(template: str, lang: str) -> re.Pattern[str]:
    parts = Formatter().parse(word(template, lang))
    text = "".join(
        re.escape(text) + (f"(?P<{name}>{FIELDS[name]})" if name else "") for text, name, _, _ in parts
    )
    return re.compile(f"{text}(?=; |；|$)", re.DOTALL)
