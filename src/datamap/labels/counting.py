"""Estimate how many labels are wrong, and decide whether the estimate is reliable."""

from typing import NamedTuple

import numpy as np

from datamap.labels import error_rate
from datamap.labels.mislabel import Evidence
from datamap.labels.most_confident import SHARES, most_confident
from datamap.signals.baseline import required_accuracy
from datamap.signals.compute import MIN_PROB, label_values

DOUBTED_SHARE = 0.15
MAX_OF_CHANCE = 2 / 3  # share of the contradictions of random guesses; a larger estimate is meaningless
# Random wrong labels contradict confident predictions, so the witnesses would be more confident without them.
MIN_SLOPE = 1.25
MIN_DEVIATIONS = 2.8  # of the estimate from 0
# Half the range, in standard deviations; wider than sampling error, because the curve fits only roughly.
HALF_RANGE = 2.3
# Of units: wrong labels contradict sure and less sure predictions alike, errors of a weak model less sure ones.
COMPARED_SHARES = (0.05, 0.4)
MAX_GROWTH = 0.5  # of the contradicted share between the two beyond sampling error, as a part of the estimate
# Ends of the range of units, times the estimate: how far the truth was from it in docs/detection.md.
UNIT_LOW, UNIT_HIGH = 0.5, 2.5
Z_90 = 1.645  # half the width of a 90 % interval of the normal distribution, in standard deviations
# Why the number cannot be estimated. Key: `Estimate.unknown`; value: what people read.
REASONS = {
    "nothing": "the run has no texts, embeddings or folds, so no independent model can judge its labels",
    "rare": "fewer than two classes have two samples, so no independent model can be trained",
    "chance": "no independent model predicts the labels better than class frequencies do",
    "weak": "even the most confident predictions of independent models contradict too many labels",
    "border": "contradicted labels cluster where the models are unsure, so label errors and model errors look alike",
    "few": "too few labels contradict confident predictions to tell wrong labels from model errors",
    "unlearned": "the model learned too little",
}


class Estimate(NamedTuple):
    """Hold the estimated number of wrong labels.

    Attributes:
        estimate: the most likely number.
        low: the lower end of the range.
        high: the upper end of the range.
        unknown: a key of `REASONS` if the evidence is too weak for an estimate, else "".
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
    """Estimate the number of wrong labels by the pool of all witnesses that never saw the label.

    Only random errors are counted: labels of a class that is mapped wrongly as a whole, or that are wrong near the
    border between classes, contradict no confident prediction. docs/detection.md reports how often the true number was
    within the range.

    For samples, the share of wrong labels is fitted to how often labels agree with predictions at each confidence
    (`error_rate.fit`). The range is the estimate ± `HALF_RANGE` standard deviations. Most units have one class,
    for which nearly all predictions are confident, so there is no such curve; `_of_units` counts them.

    Args:
        evidence: what is known of the samples (`mislabel.with_posterior`).

    Returns:
        The estimate. It is unknown where the witnesses give the given labels no higher log-likelihood than the classes'
        frequencies do, by more than three standard errors ("chance"), and where it is above `MAX_OF_CHANCE` of what
        guesses contradict ("weak", which is also said where the most confident predictions contradict as many). Without
        witnesses it is the number of samples with avg_probs below 0.5, and is never known: the run has seen the labels,
        and contradicts them as often as it has not learned them yet.

    >>> from datamap.labels.pool import pool_witnesses
    >>> random, true, nothing = np.random.default_rng(0), np.arange(1000) % 2, np.zeros(1000)
    >>> given = np.where(random.random(1000) < 0.1, 1 - true, true)  # every tenth label is wrong
    >>> sure = random.uniform(0.6, 1, 1000)  # how often a witness is right
    >>> of_one = np.where(random.random(1000) < sure, true, 1 - true) * (2 * sure - 1) + 1 - sure
    >>> pool = pool_witnesses({"linear": np.stack([1 - of_one, of_one], axis=1)}, given)
    >>> about = estimate(Evidence(given, nothing, nothing, nothing, nothing, pool=pool))
    >>> about.low <= (given != true).sum() <= about.high
    True
    """
    if evidence.pool is None:
        return _of_predictions(evidence)
    probs, labels = evidence.pool.probs, evidence.labels
    if evidence.columns is None:
        share, low, high, unknown = _of_samples(evidence.errors or error_rate.fit(probs, labels))
    else:
        share, low, high, unknown = _of_units(probs, labels)
    frequencies = np.bincount(labels, minlength=probs.shape[1]) / len(labels)
    gain = np.log(label_values(probs, labels).clip(MIN_PROB)) - np.log(frequencies[labels])
    too_many = MAX_OF_CHANCE * (1 - (frequencies**2).sum())
    if gain.mean() <= 3 * gain.std() / np.sqrt(len(labels)):
        unknown = "chance"
    elif share >= too_many or (unknown and _contradicted(probs, labels, COMPARED_SHARES[0])[0] >= too_many):
        unknown = "weak"
    total = len(labels)
    return Estimate(
        round(share * total), int(max(0, low * total)), min(total, int(np.ceil(high * total))), unknown
    )


def _of_samples(rate):
    """Return (share of wrong labels, ends of its range, the reason if it is unknown).

    Without random wrong labels the predictions would be surer, by the factor `MIN_SLOPE` ("border"): otherwise no more
    sure ones are contradicted than their probabilities say. And the share is `MIN_DEVIATIONS` standard deviations
    above 0 ("few").
    """
    reach = HALF_RANGE * rate.deviation
    few = "few" if rate.share < MIN_DEVIATIONS * rate.deviation else ""
    return rate.share, rate.share - reach, rate.share + reach, "border" if rate.slope < MIN_SLOPE else few


def _of_units(probs, labels):
    """Return the same for units, from how often the given labels contradict the most confident predictions.

    Where a good model is most confident it is right (an "anchor point": Liu and Tao 2016, sec. 4; Patrini et al. 2017).
    A given label that contradicts such a prediction is therefore wrong, and wrong labels are as frequent there as
    elsewhere. With S_c the most confident predictions of class c, n_c the number of all predictions of c, and y the
    given label, the number is Σ_c n_c · mean(y ≠ c over S_c), as the mean over `most_confident.SHARES` of the
    predictions of each class.

    The share of contradicted predictions must grow little from the most confident to less sure ones ("border"): growth
    comes from the model's own errors, or from labels that are wrong near the border between classes.
    """
    share, count = _mean_contradicted(probs, labels)
    error = _sampling_error(share, count)
    (sure, compared), (less_sure, _) = (_contradicted(probs, labels, part) for part in COMPARED_SHARES)
    growth = less_sure - sure - _sampling_error(sure, compared)
    unknown = "border" if growth > MAX_GROWTH * share else ""
    return share, (share - error) * UNIT_LOW, share * UNIT_HIGH + error, unknown


def doubted_rows(probs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the rows whose given label contradicts a most confident prediction, and is therefore likely wrong.

    Args:
        probs: (N, C), distributions over classes from models that never saw the labels.
        labels: int (N,), the given labels.

    Returns:
        int array of rows, ascending.

    >>> doubted_rows(np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]]), np.array([1, 1, 0]))
    array([0])
    """
    rows = np.concatenate(list(most_confident(probs, DOUBTED_SHARE).values()))
    return np.sort(rows[labels[rows] != probs[rows].argmax(axis=1)])


def _contradicted(probs, labels, share):
    """Return (share of the most confident predictions that are contradicted, weighed by class size; their number)."""
    chosen, sizes = most_confident(probs, share), np.bincount(probs.argmax(axis=1))
    contradicted = sum((labels[rows] != label).mean() * sizes[label] for label, rows in chosen.items())
    return contradicted / len(labels), sum(map(len, chosen.values()))


def _mean_contradicted(probs, labels):
    """Return (mean contradicted share over `most_confident.SHARES`, number of predictions in the second of them)."""
    found = [_contradicted(probs, labels, share) for share in SHARES]
    return float(np.mean([share for share, _ in found])), found[1][1]


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
        _why_alone(evidence),
    )


def _why_alone(evidence):
    """Return the reason why a run without witnesses gives no estimate."""
    if not has_learned(evidence):
        return "unlearned"
    return "nothing" if evidence.witnesses is None else "rare"


def has_learned(evidence: Evidence) -> bool:
    """Tell whether the last observation is right often enough for the model to judge labels (`required_accuracy`).

    >>> labels, nothing = np.array([0, 1] * 5), np.zeros(10)
    >>> [has_learned(Evidence(labels, np.array([5, wrong]), nothing, nothing, nothing)) for wrong in (1, 5)]
    [True, False]
    """
    return bool(1 - evidence.wrong[-1] / len(evidence.labels) >= required_accuracy(evidence.labels))
