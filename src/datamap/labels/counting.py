"""Estimate how many labels are wrong, and tell whether the estimate means anything."""

from typing import NamedTuple

import numpy as np

from datamap.labels.mislabel import Evidence
from datamap.labels.surest import SHARES, surest
from datamap.signals.baseline import required_accuracy
from datamap.signals.compute import MIN_PROB, of_label

DOUBTED_SHARE = 0.15
# Wrong labels contradict sure and less sure predictions alike; errors of a weak model are among the less sure ones.
COMPARED_SHARES = (0.05, 0.4)
MAX_GROWTH = 0.5  # of the contradicted share between the two beyond sampling error, as a part of the estimate
MAX_OF_CHANCE = 2 / 3  # of the contradictions of guesses; surest predictions that err more often tell nothing
LOW, HIGH = 0.55, 1.1  # how far the truth was from the estimate in docs/detection.md, beyond sampling error
UNIT_LOW, UNIT_HIGH = 0.5, 2.5  # the same of units, of whose labels most are of one class
Z_90 = 1.645  # half the width of a 90 % interval of the normal distribution, in standard deviations
# Why a number cannot be known. Key: `Estimate.unknown`; value: what people read.
REASONS = {
    "nothing": "nothing that never saw the labels can judge them (no texts, no embeddings, no folds)",
    "chance": "no model that never saw the labels predicts them better than their frequencies do",
    "weak": "even the surest predictions of models that never saw the labels contradict too many of them",
    "border": "contradicted labels gather where the models are unsure: wrong labels there look like errors of theirs",
    "unlearned": "the model learned too little",
}


class Estimate(NamedTuple):
    """Say how many labels are wrong.

    Attributes:
        estimate: the most likely number.
        low: the lower end of the range.
        high: the upper end of the range.
        unknown: a key of `REASONS` if the evidence is too weak to tell, else "".
    """

    estimate: int
    low: int
    high: int
    unknown: str = ""

    @property
    def known(self) -> bool:
        """Tell whether the evidence is strong enough; the numbers mean nothing otherwise."""
        return not self.unknown

    def numbers(self) -> dict[str, float]:
        """Return {metric: value}."""
        return {"estimate": self.estimate, "low": self.low, "high": self.high, "known": self.known}


def estimate(evidence: Evidence) -> Estimate:
    """Estimate the number of wrong labels from how often the given labels contradict the surest predictions.

    Where a good model is surest it is right (an "anchor point": Liu and Tao 2016, sec. 4; Patrini et al. 2017). A given
    label that contradicts such a prediction is therefore wrong, and wrong labels are as frequent there as elsewhere.
    With S_c the surest predictions of class c, n_c the number of all predictions of c, and y the given label of a
    sample, the estimated number is

        Σ_c n_c · mean(y ≠ c over S_c)

    as the mean over `surest.SHARES` of the predictions of each class. The predictions are the pool of all witnesses
    that never saw the label. What is counted are random errors: labels of a class that is mapped wrongly as a whole, or
    that are wrong near the border between classes, contradict no sure prediction.

    The range is [`LOW` · (estimate − e), `HIGH` · estimate + e] with the 90 % sampling error e, and that of units is
    wider. docs/detection.md says how often the true number lay within.

    Args:
        evidence: what is known of the samples (`mislabel.with_posterior`).

    Returns:
        The estimate. Without witnesses it is the number of samples with avg_probs below 0.5, and is never known: the
        run has seen the labels, and contradicts them as often as it has not learned them yet.
    """
    labels, total = evidence.labels, len(evidence.labels)
    if evidence.pool is None:
        return _of_predictions(evidence)
    probs = evidence.pool.probs
    share, count = _mean_contradicted(probs, labels)
    error = _sampling_error(share, count) * total
    about = share * total
    low, high = (LOW, HIGH) if evidence.columns is None else (UNIT_LOW, UNIT_HIGH)
    return Estimate(
        round(about),
        int(max(0, about - error) * low),
        min(total, int(about * high + error)),
        _why_unknown(probs, labels, share),
    )


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
    rows = np.concatenate(list(surest(probs, DOUBTED_SHARE).values()))
    return np.sort(rows[labels[rows] != probs[rows].argmax(axis=1)])


def _contradicted(probs, labels, share):
    """Return (contradicted share of the surest predictions, weighed by class size; number of those predictions)."""
    chosen, sizes = surest(probs, share), np.bincount(probs.argmax(axis=1))
    contradicted = sum((labels[rows] != label).mean() * sizes[label] for label, rows in chosen.items())
    return contradicted / len(labels), sum(map(len, chosen.values()))


def _mean_contradicted(probs, labels):
    """Return (mean contradicted share over `surest.SHARES`, number of predictions in the second of them)."""
    found = [_contradicted(probs, labels, share) for share in SHARES]
    return float(np.mean([share for share, _ in found])), found[1][1]


def why_unknown(probs: np.ndarray, labels: np.ndarray) -> str:
    """Tell why predictions cannot tell the number of wrong labels, as a key of `REASONS`; "" if they can.

    Three conditions must hold. The predictions give the given labels a higher log-likelihood than the classes'
    frequencies do, by more than three standard errors ("chance"). The surest predictions are contradicted less than
    `MAX_OF_CHANCE` as often as guesses would be ("weak"). And the share of contradicted predictions grows little from
    the surest to less sure ones ("border"): random wrong labels contradict both alike, so growth comes from the
    model's own errors, or from labels that are wrong near the border between classes.

    Args:
        probs: (N, C), distributions from models that never saw the labels.
        labels: int (N,), the given labels.
    """
    return _why_unknown(probs, labels, _mean_contradicted(probs, labels)[0])


def _why_unknown(probs, labels, share):
    frequencies = np.bincount(labels, minlength=probs.shape[1]) / len(labels)
    gain = np.log(of_label(probs, labels).clip(MIN_PROB)) - np.log(frequencies[labels])
    if gain.mean() <= 3 * gain.std() / np.sqrt(len(labels)):
        return "chance"
    if share >= MAX_OF_CHANCE * _errors_of_guesses(labels):
        return "weak"
    (sure, count), (less_sure, _) = (_contradicted(probs, labels, part) for part in COMPARED_SHARES)
    growth = less_sure - sure - _sampling_error(sure, count)
    return "border" if growth > MAX_GROWTH * share else ""


def _errors_of_guesses(labels):
    """Return how often guesses by the classes' frequencies contradict the labels: 1 − Σ f²."""
    return 1 - ((np.bincount(labels) / len(labels)) ** 2).sum()


def _sampling_error(share, count):
    """Return the 90 % sampling error of a share of `count` samples."""
    return Z_90 * np.sqrt(max(share, 1 / count) * (1 - share) / count)


def _of_predictions(evidence):
    """Count the run's wrong predictions: the last observation has the fewest, an early one the most."""
    wrong, total = int((evidence.avg_probs < 0.5).sum()), len(evidence.labels)
    early = int(evidence.wrong[-(-len(evidence.wrong) // 4) - 1])  # before much is memorized
    counts = [wrong, int(evidence.wrong[-1]), early]
    low, high = min(counts), max(counts)
    return Estimate(
        wrong,
        max(0, low - int(Z_90 * np.sqrt(low))),
        min(total, high + int(Z_90 * np.sqrt(high))),
        "nothing" if has_learned(evidence) else "unlearned",
    )


def has_learned(evidence: Evidence) -> bool:
    """Tell whether the last observation is right often enough for the model to judge labels (`required_accuracy`)."""
    return bool(1 - evidence.wrong[-1] / len(evidence.labels) >= required_accuracy(evidence.labels))
