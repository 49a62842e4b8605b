"""Which labels are wrong? A score in [0, 1] for each sample, one pure function a score."""

from typing import NamedTuple

import numpy as np

from datamap.errors import SignalError
from datamap.signals.compute import of_label


class Evidence(NamedTuple):
    """What is known of N samples, from T observations of C classes.

    `labels` are the given labels, int64 (N,). `avg_probs`, `margin_mean`, `correct_times` and
    `forgetting_times` are columns of the summary, (N,). `probs` is the mean over observations of the
    predicted distribution, float (N, C), `pooled` its geometric mean, and `held_out` the mean of models that
    never saw the sample.
    `wrong` is how many samples were predicted wrong at each observation, int (T,). `threshold_margins`
    are the mean margins of threshold samples, (M,). None = not known.
    """

    labels: np.ndarray
    wrong: np.ndarray
    avg_probs: np.ndarray
    correct_times: np.ndarray
    forgetting_times: np.ndarray
    margin_mean: np.ndarray | None = None
    probs: np.ndarray | None = None
    pooled: np.ndarray | None = None
    held_out: np.ndarray | None = None
    threshold_margins: np.ndarray | None = None


def label_margin(probs, labels):
    """Probability of the given label minus the largest other one, in [−1, 1].

    Args:
        probs: (samples, classes) distributions.
        labels: int (samples,).
    Returns:
        float array (samples,); below 0 where another class is likelier than the given one.

    >>> label_margin(np.array([[0.75, 0.25], [0.75, 0.25]]), np.array([0, 1]))
    array([ 0.5, -0.5])
    """
    others = np.array(probs, np.float64)
    np.put_along_axis(others, labels[:, None], -np.inf, axis=1)
    return of_label(probs, labels) - others.max(axis=1)


def class_adjusted(probs, labels):
    """Distributions from which what the model is usually sure of each class is taken off.

    A class whose labels are often wrong gets less probability throughout, so that its samples look worse
    than they are. Confident learning therefore compares with the class's mean (Northcutt et al. 2021,
    eq. 2): here each class's probability is lessened by that mean, plus the largest mean of all.

    Args:
        probs: (samples, classes) distributions of models that did not see the samples.
        labels: int (samples,) given labels.
    Returns:
        float array (samples, classes), rows sum to 1; where a class has no sample its mean counts as the largest.
    """
    counts = np.bincount(labels, minlength=probs.shape[1])
    sums = np.bincount(labels, of_label(probs, labels), minlength=probs.shape[1])
    means = np.divide(sums, counts, out=np.full(len(counts), np.nan), where=counts > 0)
    means = np.where(counts > 0, means, np.nanmax(means))
    shifted = probs - means + means.max()
    return shifted / shifted.sum(axis=1, keepdims=True)


def distribution(evidence):
    """What the models say of each sample, all in all: float (N, C), or None where no probabilities were recorded.

    The mean of two: what the run says throughout (the geometric mean, in which one sure "no" counts much, as in
    AUM), and the class-adjusted mean of models that never saw the sample, or without folds of the run itself.
    """
    if evidence.probs is None:
        return None
    unseen = evidence.probs if evidence.held_out is None else evidence.held_out
    return (evidence.pooled + class_adjusted(unseen, evidence.labels)) / 2


def combined(evidence):
    """(1 − margin) / 2 of `distribution`: above 0.5 where another class is likelier than the given one.

    Ours; chosen by benchmarks/detect.py among some twenty ways to put the signals together. Where no
    probabilities of all classes were recorded it is `confidence`.
    """
    probs = distribution(evidence)
    return confidence(evidence) if probs is None else (1 - label_margin(probs, evidence.labels)) / 2


def confidence(evidence):
    """1 − avg_probs: low confidence (Swayamdipta et al. 2020, sec. 5)."""
    return 1 - evidence.avg_probs


def aum(evidence):
    """Area under the margin (Pleiss et al. 2020, eq. 1), turned into 1 / (1 + exp(AUM − threshold)).

    The threshold is the 99th percentile of the threshold samples' (sec. 3); 0 where there are none. The paper
    takes both from the same two trainings with the extra class; here the samples' margins come from the run's own
    training, which has all its samples, and only the threshold from the other one (`passes.threshold`).

    Raises:
        SignalError: margins are not known, as the probabilities of all classes were not recorded.
    """
    if evidence.margin_mean is None:
        raise SignalError("score=aum needs the probabilities of all classes (probs), which this run lacks")
    margins = evidence.threshold_margins
    threshold = 0 if margins is None else np.quantile(margins, 0.99)
    return 1 / (1 + np.exp(np.clip(evidence.margin_mean - threshold, -500, 500)))


def forgetting(evidence):
    """1 where never learnt, which counts as forgotten for ever (Toneva et al. 2019, sec. 3); below it the more
    often forgotten: forgetting events over one more than the most that there can be.
    """
    most = len(evidence.wrong) // 2
    return np.where(evidence.correct_times == 0, 1.0, evidence.forgetting_times / (most + 1))


def confident_learning(evidence):
    """1 − cleanlab's label quality (class-adjusted normalized margin; Northcutt et al. 2021) of held-out samples.

    Raises:
        SignalError: the run has no folds.
    """
    from cleanlab.rank import get_label_quality_scores

    if evidence.held_out is None:
        raise SignalError(
            "score=confident_learning needs what models say of samples that they never saw, of all folds; "
            "train with data.folds=5"
        )
    return 1 - get_label_quality_scores(
        evidence.labels, evidence.held_out, method="normalized_margin", adjust_pred_probs=True
    )


# Name → score of each sample, float (N,) in [0, 1]: the higher, the likelier the label is wrong.
SCORES = {
    "combined": combined,
    "confidence": confidence,
    "aum": aum,
    "forgetting": forgetting,
    "confident_learning": confident_learning,
}


class Estimate(NamedTuple):
    """How many labels are wrong: about `estimate`, in the range `low` to `high`."""

    estimate: int
    low: int
    high: int


def estimate(evidence):
    """Estimate how many labels are wrong, from how the models contradict them.

    About as many as have a `combined` score above 0.5. The low end are those that the last observation
    contradicts: by then a model has also learnt wrong labels by heart. The high end are those that held-out
    models contradict, or without folds those that the observation a quarter of the way contradicts: by then a model
    knows what samples have in common, but no single sample (Arpit et al. 2017). Both ends are moved outwards by
    1.645 √n, the 90 % sampling error of a count. docs/detection.md says how often the truth lay within.

    Returns:
        `Estimate`.
    """
    wrong, last = int((combined(evidence) > 0.5).sum()), int(evidence.wrong[-1])
    if evidence.held_out is None:
        early = int(evidence.wrong[-(-len(evidence.wrong) // 4) - 1])
    else:
        early = int((label_margin(evidence.held_out, evidence.labels) < 0).sum())
    low, high = min(wrong, last, early), max(wrong, last, early)
    sampling = (1.645 * np.sqrt([low, high])).astype(int)
    return Estimate(wrong, max(0, low - int(sampling[0])), min(len(evidence.labels), high + int(sampling[1])))


def precision_at(scores, positive, count):
    """Share of positive samples among the `count` of highest score; ties by their order."""
    return float(positive[np.argsort(-scores, kind="stable")[:count]].mean())
