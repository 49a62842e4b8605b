"""Compare the summaries of several runs over the same samples."""

from itertools import combinations

import numpy as np
import pandas as pd

from datamap.errors import SummaryError, first_few
from datamap.signals import align
from datamap.signals.baseline import required_accuracy

Summaries = dict[str, pd.DataFrame]  # run name → its summary

RANKED = ("avg_probs", "label_var", "forgetting_times")


def align_summaries(summaries: Summaries) -> Summaries:
    """Reduce summaries to the samples that all of them have, in the first one's order.

    Args:
        summaries: {run name: DataFrame with the columns of summary.tsv}, two or more.

    Returns:
        {run name: DataFrame}, all with the same ids in the same order.

    Raises:
        SummaryError: they have fewer than two samples in common.
    """
    ids = next(iter(summaries.values()))["id"]
    rows = {name: align.rows(ids, frame["id"]) for name, frame in summaries.items()}
    common = np.logical_and.reduce([found >= 0 for found in rows.values()])
    if common.sum() < 2:
        raise SummaryError(
            f"runs {first_few(summaries)} have {'one id' if common.any() else 'no id'} in common; compare runs of the "
            "same data"
        )
    return {name: frame.iloc[rows[name][common]].reset_index(drop=True) for name, frame in summaries.items()}


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Compute Spearman's rank correlation: Pearson's correlation of the ranks, in [-1, 1].

    Equal values share their mean rank. The result is NaN if all values of one side are equal, as the ranks then have no
    variance.

    Args:
        a: numbers of the samples, (samples,).
        b: other numbers of the same samples, (samples,).

    >>> spearman(np.array([1, 2, 3]), np.array([10, 30, 20]))
    0.5
    """
    from scipy.stats import spearmanr

    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(spearmanr(a, b).statistic)


def hardest(summary: pd.DataFrame, share: float) -> np.ndarray:
    """Mark the `share` of the samples with the lowest avg_probs, at least one; ties go by order in the summary.

    >>> hardest(pd.DataFrame({"avg_probs": [0.9, 0.1, 0.5, 0.8]}), 0.25).tolist()
    [False, True, False, False]
    """
    count = max(1, round(share * len(summary)))
    mask = np.zeros(len(summary), bool)
    mask[np.argsort(summary["avg_probs"].to_numpy(), kind="stable")[:count]] = True
    return mask


def jaccard(a: np.ndarray, b: np.ndarray) -> float:
    """Compute the Jaccard index |A ∩ B| / |A ∪ B| of two sets, given as bool arrays (samples,); 1 if both are empty.

    >>> jaccard(np.array([True, True, False]), np.array([True, False, True]))
    0.3333333333333333
    """
    union = (a | b).sum()
    return float((a & b).sum() / union) if union else 1.0


def agreement(summaries: Summaries, share: float) -> pd.DataFrame:
    """Measure how far each pair of runs agrees on which samples are hard, ambiguous and forgotten.

    Args:
        summaries: summaries of the same samples (`align_summaries`).
        share: of the samples that count as hardest, in (0, 1].

    Returns:
        DataFrame with one row per pair: run_a, run_b, spearman_<column> for each of `RANKED`, jaccard_hardest.
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


def learned_little(summary: pd.DataFrame) -> bool:
    """Tell whether a model, on average over its observations, was right too rarely to judge samples.

    The bound is `required_accuracy`.
    """
    return bool(summary["correct_ratio"].mean() < required_accuracy(summary["label"].to_numpy()))


def always_hard(summaries: Summaries, share: float) -> pd.DataFrame:
    """Return the samples that every run has among its hardest `share`, hardest first.

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
