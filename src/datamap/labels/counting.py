"""Estimate how many labels are wrong, and tell whether the estimate means anything."""

from typing import NamedTuple

import numpy as np

from datamap.labels.mislabel import Evidence
from datamap.labels.pool import pooled
from datamap.signals.baseline import required_accuracy
from datamap.signals.compute import MIN_PROB, of_label

SUREST_SHARE = 0.15  # of the predictions of each class: the ones that the estimate is made from
# Wrong labels contradict sure and less sure predictions alike; errors of a weak model are among the less sure ones.
COMPARED_SHARES = (0.05, 0.4)
MAX_GROWTH = 0.06  # of the contradicted share from the first to the second, beyond sampling error
Z_90 = 1.645  # half the width of a 90 % interval of the normal distribution, in standard deviations


class Estimate(NamedTuple):
    """Say how many labels are wrong.

    Attributes:
        estimate: the most likely number.
        low: the lower end of the range.
        high: the upper end of the range.
        known: False if the predictions are too weak to tell; the numbers mean nothing then.
    """

    estimate: int
    low: int
    high: int
    known: bool


def estimate(evidence: Evidence) -> Estimate:
    """Estimate the number of wrong labels from how often the given labels contradict the surest predictions.

    Where a good model is surest it is right (an "anchor point": Liu and Tao 2016, sec. 4; Patrini et al. 2017). A given
    label that contradicts such a prediction is therefore wrong, and wrong labels are as frequent there as elsewhere.
    With S_c the `SUREST_SHARE` of the predictions of class c that are surest, n_c the number of all predictions of c,
    and y the given label of a sample, the estimated number is

        Σ_c n_c · mean(y ≠ c over S_c)

    The predictions are the pool of all witnesses that never saw the label; without such witnesses, the run's own.

    The range accounts for two errors of this argument. A weak model errs even where it is surest, so the low end is
    half of the estimate. Labels that are wrong only near the border between classes do not show among the sure
    predictions, so the high end goes two thirds of the way from the estimate to all contradicted labels. Both ends are
    moved outward by the 90 % sampling error. docs/detection.md says how often the true number lay within.

    Args:
        evidence: what is known of the samples, with its opinion (`mislabel.with_opinion`).

    Returns:
        The estimate; `is_known` says when it tells something. If no probabilities of all classes are known, the
        estimate is the number of samples with avg_probs below 0.5, and is known if the model has learned something
        (`has_learned`) and contradicts less than half as many labels as guesses would.
    """
    labels, total = evidence.labels, len(evidence.labels)
    if evidence.opinion is None:
        return _of_predictions(evidence)
    # The run has seen the labels: it contradicts fewer of them than are wrong.
    probs = (pooled(evidence.unseen, labels) if evidence.unseen else evidence.opinion).probs
    share, count = _contradicted(probs, labels)
    contradicted = int((probs.argmax(axis=1) != labels).sum())
    if not evidence.unseen:  # the run has memorized some labels by its end, so its early errors count too
        contradicted = max(contradicted, _early_errors(evidence))
    error = _sampling_error(share, count)
    about = round(share * total)
    border = about + 2 / 3 * max(0, contradicted - about) + Z_90 * np.sqrt(contradicted)
    high = min(total, int(max(border, (share + error) * total)))
    return Estimate(about, int(max(0, share - error) * total / 2), high, is_known(probs, labels))


def doubted(probs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the rows whose given label contradicts one of the surest predictions, and is therefore likely wrong.

    Args:
        probs: (N, C), distributions over classes from models that never saw the labels.
        labels: int (N,), the given labels.

    Returns:
        int array of rows, ascending.

    >>> doubted(np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]]), np.array([1, 1, 0]))
    array([0])
    """
    surest = np.concatenate(list(_surest(probs, SUREST_SHARE).values()))
    return np.sort(surest[labels[surest] != probs[surest].argmax(axis=1)])


def _surest(probs, share):
    """Return {class: rows of the surest `share` of the predictions of that class}."""
    predicted, sureness, found = probs.argmax(axis=1), probs.max(axis=1), {}
    for label in np.unique(predicted):
        rows = np.flatnonzero(predicted == label)
        found[label] = rows[np.argsort(-sureness[rows], kind="stable")[: int(np.ceil(share * len(rows)))]]
    return found


def _contradicted(probs, labels, share=SUREST_SHARE):
    """Return (contradicted share of the surest predictions, weighed by class size; number of those predictions)."""
    surest, sizes = _surest(probs, share), np.bincount(probs.argmax(axis=1))
    contradicted = sum((labels[rows] != label).mean() * sizes[label] for label, rows in surest.items())
    return contradicted / len(labels), sum(map(len, surest.values()))


def is_known(probs: np.ndarray, labels: np.ndarray) -> bool:
    """Tell whether predictions are good enough to estimate the number of wrong labels.

    Three conditions must hold. The predictions give the given labels a higher log-likelihood than the classes'
    frequencies do, by more than three standard errors. The surest predictions are contradicted less than half as often
    as guesses would be. And the share of contradicted predictions grows by at most `MAX_GROWTH` from the surest to less
    sure ones: wrong labels contradict both alike, so growth comes from the model's own errors.

    Args:
        probs: (N, C), distributions from models that never saw the labels.
        labels: int (N,), the given labels.
    """
    share, _ = _contradicted(probs, labels)
    frequencies = np.bincount(labels, minlength=probs.shape[1]) / len(labels)
    gain = np.log(of_label(probs, labels).clip(MIN_PROB)) - np.log(frequencies[labels])
    (surest, count), (less_sure, _) = (_contradicted(probs, labels, part) for part in COMPARED_SHARES)
    growth = less_sure - surest - _sampling_error(surest, count)
    return bool(
        gain.mean() > 3 * gain.std() / np.sqrt(len(labels))
        and share < _errors_of_guesses(labels) / 2
        and growth <= MAX_GROWTH
    )


def _errors_of_guesses(labels):
    """Return how often guesses by the classes' frequencies contradict the labels: 1 − Σ f²."""
    return 1 - ((np.bincount(labels) / len(labels)) ** 2).sum()


def _sampling_error(share, count):
    """Return the 90 % sampling error of a share of `count` samples."""
    return Z_90 * np.sqrt(max(share, 1 / count) * (1 - share) / count)


def _early_errors(evidence):
    """Return the number of wrong predictions after a quarter of the observations, before much is memorized."""
    return int(evidence.wrong[-(-len(evidence.wrong) // 4) - 1])


def _of_predictions(evidence):
    """Estimate from wrong predictions alone; the last observation has the fewest, an early one the most."""
    wrong, total = int((evidence.avg_probs < 0.5).sum()), len(evidence.labels)
    counts = [wrong, int(evidence.wrong[-1]), _early_errors(evidence)]
    low, high = min(counts), max(counts)
    known = has_learned(evidence) and wrong / total < _errors_of_guesses(evidence.labels) / 2
    return Estimate(
        wrong,
        max(0, low - int(Z_90 * np.sqrt(low))),
        min(total, high + int(Z_90 * np.sqrt(high))),
        bool(known),
    )


def has_learned(evidence: Evidence) -> bool:
    """Tell whether the last observation is right often enough for the model to judge labels (`required_accuracy`)."""
    return bool(1 - evidence.wrong[-1] / len(evidence.labels) >= required_accuracy(evidence.labels))
