"""Make diagnosis.tsv: one row per sample, most likely wrong first, with reasons that a person can check."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from datamap.labels import blocks
from datamap.labels.mislabel import Evidence, quotable_witnesses
from datamap.labels.reasons import reasons
from datamap.schema import REGIONS
from datamap.translations import LANGUAGES, word

PROBABILITY, ORDER = "probability", "order only"  # what a score means: values of the column `evidence`


def region_names(lang: str) -> tuple[str, ...]:
    """Return the regions as the column `region` names them, in the order of `REGIONS`.

    >>> region_names("zh")
    ('易学', '模糊', '难学', '疑似噪声')
    """
    return tuple(REGIONS) if lang == "en" else tuple(word(name, lang) for name in REGIONS.values())


def regions_told(regions: np.ndarray, lang: str) -> str:
    """Return one line with the number of samples in each region; regions are indices into `REGIONS`."""
    counts = np.bincount(regions, minlength=len(REGIONS))
    return word(", ", lang).join(
        f"{name} {count:,}" for name, count in zip(region_names(lang), counts, strict=True)
    )


def texts_told(row: Mapping[str, str]) -> str:
    """Return the texts of a row of a diagnosis in one line."""
    return " / ".join(" ".join(row[name].split()) for name in ("text_a", "text_b") if name in row)


def words(text: str) -> list[str]:
    """Return a value of a column in every language."""
    return [word(text, lang) for lang in LANGUAGES]


@dataclass(frozen=True)
class Diagnosis:
    """Make the rows of diagnosis.tsv, some at a time: the texts and words of all take many times their memory.

    Attributes:
        summary: DataFrame with the columns of summary.tsv.
        evidence: what is known of the same samples, in order.
        scores: float (samples,) in [0, 1].
        proposed: int (samples,), from `mislabel.proposals`.
        regions: int (samples,), from `regions.assign`.
        names: class names by index.
        texts: function from ids to {column name: list of str}, which may be empty.
        probable: True if the scores are probabilities, False if only their order means something.
        lang: the language of the columns `why` and `region`.
        numbers: function from rows to what their own numbers say, added to `why`; None = nothing.
    """

    summary: pd.DataFrame
    evidence: Evidence
    scores: np.ndarray
    proposed: np.ndarray
    regions: np.ndarray
    names: Sequence[str]
    texts: Callable[[pd.Series], Mapping[str, Sequence[str]]]
    probable: bool
    lang: str = "en"
    numbers: Callable[[np.ndarray], Sequence[str]] | None = None

    @cached_property
    def order(self) -> np.ndarray:
        """Return the samples by descending score; ties keep the summary's order."""
        return np.argsort(-self.scores, kind="stable")

    @property
    def rounded(self) -> np.ndarray:
        """Return the scores as in the file, with 4 digits."""
        return np.round(self.scores, 4)

    @property
    def meaning(self) -> str:
        """Return what a score means: a value of the column `evidence`."""
        return word(PROBABILITY if self.probable else ORDER, self.lang)

    def labels(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Return the columns `label` and `proposed` of some samples."""
        names, given, proposed = np.array(self.names, object), self.evidence.labels[rows], self.proposed[rows]
        return {"label": names[given], "proposed": np.where(proposed == given, "", names[proposed])}

    def tables(self) -> Iterator[pd.DataFrame]:
        """Yield the diagnosis as DataFrames of at most `blocks.ROWS` samples, those of the highest scores first.

        Their columns are score; label (the given one); proposed (the most likely label by all evidence; "" if
        that is the given one, or nothing is known); the texts, or id if there are none; why; evidence (what the score
        means: a probability, or an order only); region; variability (the root of label_var); id. Numbers have 4
        digits. On a laptop, MLflow's viewer shows the first four or five columns, and texts are wide.
        """
        quoted, order = quotable_witnesses(self.evidence), self.order
        for start in range(0, len(order), blocks.ROWS):
            yield self._table(order[start : start + blocks.ROWS], quoted)

    def _table(self, rows: np.ndarray, quoted: set[str]) -> pd.DataFrame:
        ids = self.summary["id"].take(rows).reset_index(drop=True)
        why = reasons(self.evidence, rows, self.proposed, self.names, self.lang, quoted)
        if self.numbers:
            why = [a + b for a, b in zip(why, self.numbers(rows), strict=True)]
        return pd.DataFrame(
            {
                "score": np.round(self.scores[rows], 4),
                **self.labels(rows),
                **(self.texts(ids) or {"id": ids}),
                "why": why,
                "evidence": self.meaning,
                "region": np.array(region_names(self.lang), object)[self.regions[rows]],
                "variability": np.round(np.sqrt(self.summary["label_var"].to_numpy()[rows]), 4),
                "id": ids,
            }
        )
