"""Make diagnosis.tsv: one row per sample, most likely wrong first, in words that a person can check."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from datamap.labels.mislabel import Evidence
from datamap.labels.reasons import reasons
from datamap.translations import LANGUAGES, word

PROBABILITY, ORDER = "probability", "order only"  # what a score means: values of the column `evidence`
REGIONS = ("easy", "ambiguous", "hard", "noisy")  # as `regions.assign` numbers them


def region_names(lang: str) -> tuple[str, ...]:
    """Return the regions as the column `region` names them, in the order of `REGIONS`.

    >>> region_names("zh")
    ('易学', '模糊', '难学', '疑似噪声')
    """
    if lang == "en":
        return REGIONS
    return tuple(word(name, lang) for name in ("easy to learn", "ambiguous", "hard to learn", "noisy?"))


def regions_told(frame: pd.DataFrame, lang: str) -> str:
    """Return one line that says how many samples of a diagnosis each region has."""
    counts = frame["region"].value_counts()
    return ", ".join(f"{name} {counts.get(name, 0):,}" for name in region_names(lang))


def texts_told(row: Mapping[str, str]) -> str:
    """Return the texts of a row of a diagnosis in one line."""
    return " / ".join(" ".join(row[name].split()) for name in ("text_a", "text_b") if name in row)


def words(text: str) -> list[str]:
    """Return a value of a column in every language."""
    return [word(text, lang) for lang in LANGUAGES]


def table(
    summary: pd.DataFrame, evidence: Evidence, scores: np.ndarray, proposed: np.ndarray, regions: np.ndarray,
    names: Sequence[str] | np.ndarray, texts: Mapping[str, Sequence[str]], probable: bool, lang: str = "en",
    numbers: Sequence[str] | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Build the diagnosis as a DataFrame, sorted by descending score; ties keep the summary's order.

    Args:
        summary: DataFrame with the columns of summary.tsv.
        evidence: what is known of the same samples, in order.
        scores: float (samples,) in [0, 1].
        proposed: int (samples,), from `mislabel.proposals`.
        regions: int (samples,), from `regions.assign`.
        names: class names by index.
        texts: {column name: list of str}; may be empty.
        probable: True if the scores are probabilities, False if only their order means something.
        lang: the language of the columns `why` and `region`.
        numbers: what each sample's own numbers say, added to `why`; None = nothing.

    Returns:
        DataFrame with the columns score; label (the given one); proposed (the most likely label by all evidence; "" if
        that is the given one, or nothing is known); the texts, or id if there are none; why; evidence (what the score
        means: a probability, or an order only); region; variability (the root of label_var); id. Numbers have 4
        digits. On a laptop, MLflow's viewer shows the first four or five columns, and texts are wide.
    """
    names = np.array(names, object)
    why = reasons(evidence, proposed, names, lang)
    frame = pd.DataFrame(
        {
            "score": np.round(scores, 4),
            "label": names[evidence.labels],
            "proposed": np.where(proposed == evidence.labels, "", names[proposed]),
            **(texts or {"id": summary["id"]}),
            "why": [a + b for a, b in zip(why, numbers, strict=True)] if numbers else why,
            "evidence": word(PROBABILITY if probable else ORDER, lang),
            "region": np.array(region_names(lang), object)[regions],
            "variability": np.round(np.sqrt(summary["label_var"]), 4),
            "id": summary["id"],
        }
    )
    return frame.iloc[np.argsort(-scores, kind="stable")].reset_index(drop=True)
