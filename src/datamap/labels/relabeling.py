"""Decide how many labels can be replaced by their proposals without a review, and estimate the effect."""

from typing import NamedTuple

import numpy as np

from datamap.labels.counting import Estimate
from datamap.labels.mislabel import Evidence, calibrate

MIN_WRONG = 2 / 3  # probability that a label is wrong from which on it is replaced
MIN_RIGHT = 0.75  # share of right labels that the witnesses must predict, by the estimate
MIN_CERTAINTY = 0.6  # the lower end of the range, as a part of the estimate; of samples
Z_99 = 2.326  # one-sided, in standard deviations


class Expected(NamedTuple):
    """Hold the numbers of labels that are expected to be right.

    Attributes:
        before: before relabeling, if the estimate is true.
        low: after it, if only as many labels are wrong as the lower end of the range says.
        high: after it, if the estimate is true.
    """

    before: float
    low: float
    high: float


def count_supported(evidence: Evidence, scores: np.ndarray, proposed: np.ndarray, about: Estimate) -> int:
    """Return how many samples to relabel, those with the highest scores; 0 where the evidence supports none.

    Replacing a right label does more harm than keeping a wrong one. The scores are therefore calibrated again, so that
    they sum to the lower end of the range instead of the estimate. A label is replaced if it is still twice as likely
    to be wrong as to be right. None is replaced

    - if the number of wrong labels cannot be estimated, or there are no witnesses;
    - if the range for samples is wide, with a lower end below `MIN_CERTAINTY` of the estimate: many of the counted
      labels are then hard samples of the data set (the range for units is always wide);
    - if the witnesses predict less than `MIN_RIGHT` of the labels that are right by the estimate: classes that overlap
      so much leave open which one is meant;
    - if the expected gain Σ (2 p − 1) over the replaced labels, with the probability p that a label is wrong, is not
      significantly above zero (2.326 standard deviations, 99 %).

    Args:
        evidence: what is known of N samples (`mislabel.with_posterior`).
        scores: float (N,), `calibrate` to the estimate.
        proposed: int (N,), the proposals; the given label = none.
        about: the estimate of the number of wrong labels.
    """
    wide = evidence.columns is None and about.low < MIN_CERTAINTY * about.estimate
    if evidence.pool is None or not about.known or wide:
        return 0
    right = (evidence.pool.probs.argmax(axis=1) == evidence.labels).sum()
    if right < MIN_RIGHT * (len(scores) - about.estimate):
        return 0
    cautious = calibrate(scores, about.low)
    sure = cautious > MIN_WRONG
    p = cautious[sure & (proposed != evidence.labels)]
    gain, chance = (2 * p - 1).sum(), 2 * np.sqrt((p * (1 - p)).sum())
    return int(sure.sum()) if gain > Z_99 * chance else 0


def expected_right(scores: np.ndarray, changed: np.ndarray, low: float) -> Expected:
    """Return how many of N labels are expected to be right before and after relabeling.

    Args:
        scores: float (N,), probabilities that the labels are wrong.
        changed: bool (N,), the labels to replace; their proposals are taken for right where the labels are wrong.
        low: the lower end of the range of the number of wrong labels.

    >>> [round(value, 2) for value in expected_right(np.array([0.9, 0.6, 0.1]), np.array([True, False, False]), 1.0)]
    [1.4, 1.79, 2.2]
    """
    before, cautious = float((1 - scores).sum()), calibrate(scores, low)
    gains = (float((2 * p[changed] - 1).sum()) for p in (cautious, scores))
    return Expected(before, *(before + gain for gain in gains))
