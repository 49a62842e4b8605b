"""Several runs' summaries of the same samples: how far do they agree?"""

from itertools import combinations

import numpy as np
import pandas as pd

from datamap.errors import SummaryError, first_few
from datamap.signals import align

Summaries = dict[str, pd.DataFrame]  # run name → its summary

RANKED = ("avg_probs", "label_var", "forgetting_times")


def aligned(summaries: Summaries) -> Summaries:
    """The samples that all summaries have, in the first one's order.

    Args:
        summaries: {run name: DataFrame with the columns of summary.tsv}, two or more.
    Returns:
        {run name: DataFrame}, all with the same ids in the same order.
    Raises:
        SummaryError: they have no sample in common.
    """
    ids = next(iter(summaries.values()))["id"]
    rows = {name: align.rows(ids, frame["id"]) for name, frame in summaries.items()}
    common = np.logical_and.reduce([found >= 0 for found in rows.values()])
    if not common.any():
        raise SummaryError(
            f"runs {first_few(summaries)} have no sample id in common: are they of the same data?"
        )
    return {name: frame.iloc[rows[name][common]].reset_index(drop=True) for name, frame in summaries.items()}


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's rank correlation, ties by their mean rank; NaN where one side is constant.

    Args:
        a, b: numbers of the same samples, (samples,).

    >>> spearman(np.array([1, 2, 3]), np.array([10, 30, 20]))
    0.5
    """
    from scipy.stats import spearmanr

    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(spearmanr(a, b).statistic)


def hardest(summary: pd.DataFrame, share: float) -> np.ndarray:
    """Bool array (samples,): the `share` of lowest avg_probs; ties by their order in the summary."""
    count = max(1, round(share * len(summary)))
    mask = np.zeros(len(summary), bool)
    mask[np.argsort(summary["avg_probs"].to_numpy(), kind="stable")[:count]] = True
    return mask


def jaccard(a: np.ndarray, b: np.ndarray) -> float:
    """Size of the intersection over that of the union (Jaccard 1912) of two bool arrays.

    >>> jaccard(np.array([True, True, False]), np.array([True, False, True]))
    0.3333333333333333
    """
    union = (a | b).sum()
    return float((a & b).sum() / union) if union else 1.0


def agreement(summaries: Summaries, share: float) -> pd.DataFrame:
    """One row per pair of runs: run_a, run_b, spearman_<column> of `RANKED`, jaccard_hardest.

    Args:
        summaries: what `aligned` gives.
        share: of the samples that are called hardest, in (0, 1].
    """
    rows = []
    for a, b in combinations(summaries, 2):
        row: dict[str, str | float] = {"run_a": a, "run_b": b}
        for column in RANKED:
            row[f"spearman_{column}"] = spearman(
                summaries[a][column].to_numpy(), summaries[b][column].to_numpy()
            )
        row["jaccard_hardest"] = jaccard(hardest(summaries[a], share), hardest(summaries[b], share))
        rows.append(row)
    return pd.DataFrame(rows)


LEARNT = 0.1  # of what the commonest class leaves open, below which a model is no judge


def learnt_little(summary: pd.DataFrame) -> bool:
    """Whether a model was right hardly more often, over all observations, than by naming the commonest class."""
    common = summary["label"].value_counts(normalize=True).max()
    return bool(summary["correct_ratio"].mean() < common + LEARNT * (1 - common))


def always_hard(summaries: Summaries, share: float) -> pd.DataFrame:
    """The samples that every run has among its hardest `share`, hardest first.

    Returns:
        DataFrame: id, label, s_label, avg_probs (mean over the runs), then avg_probs of each run.
    """
    frames = list(summaries.values())
    common = np.logical_and.reduce([hardest(frame, share) for frame in frames])
    probs = np.stack([frame["avg_probs"].to_numpy() for frame in frames])[:, common]
    columns = {name: frames[0].loc[common, name].to_numpy() for name in ("id", "label", "s_label")}
    columns["avg_probs"] = probs.mean(axis=0)
    columns |= {f"avg_probs in {name}": values for name, values in zip(summaries, probs, strict=True)}
    return pd.DataFrame(columns).sort_values("avg_probs", kind="stable", ignore_index=True)
