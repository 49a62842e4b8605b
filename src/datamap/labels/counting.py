"""How many labels are wrong, and whether anything can tell."""

from typing import NamedTuple

import numpy as np

from datamap.labels.mislabel import Evidence
from datamap.labels.pool import pooled
from datamap.signals.compute import MIN_PROB, of_label

SUREST = 0.15  # of the predictions of each class: the share that tells how many labels are wrong
# Wrong labels contradict sure and less sure predictions alike, errors of a weak model the less sure ones.
LEVELS = (0.05, 0.4)  # such shares that are compared
GROWTH = (
    0.06  # of the contradicted share, from the one to the other, beyond sampling error: not only wrong labels
)


LEARNED = 0.1  # of what the most common class leaves open: a model that gets less right than that is no judge


class Estimate(NamedTuple):
    """How many labels are wrong: about `estimate`, in the range `low` to `high`; `known` = whether that tells much."""

    estimate: int
    low: int
    high: int
    known: bool


def estimate(evidence: Evidence) -> Estimate:
    """Estimate how many labels are wrong, from how often the surest predictions are contradicted.

    Where a good model is surest it is right, so that the share of given labels that contradict it there is the
    share of wrong ones (anchor points: Liu and Tao 2016, sec. 4; Patrini et al. 2017): the surest `SUREST` of
    each class, by all witnesses that never saw the label. What is wrong only near the classes' border does not
    show there: the high end goes two thirds of the way to all that they contradict. A weak model errs even where it
    is surest: the low end is half of that share. Both are moved outwards by the 90 % sampling error.
    docs/detection.md says how often the truth lay within.

    Nothing is known where they foretell the given labels no better than their frequencies do (by less than
    three standard errors), where even the surest predictions are contradicted half as often as guesses, or where the
    share of contradictions grows by more than `GROWTH` as predictions get less sure: what grows is not noise alone.

    Returns:
        `Estimate`; where no probabilities of all classes are known, of what the observations predicted wrong: it is
        known where the model learned (`has_learned`) and contradicts less than half as many labels as guesses would.
    """
    labels, total = evidence.labels, len(evidence.labels)
    if evidence.opinion is None:
        return _of_predictions(evidence)
    # The run has seen the labels: it contradicts fewer of them than are wrong.
    probs = (pooled(evidence.unseen, labels) if evidence.unseen else evidence.opinion).probs
    said = probs.argmax(axis=1)
    share, count = _contradicted(probs, labels)
    contradicted = int((said != labels).sum())
    if not evidence.unseen:  # learnt by heart, at last
        contradicted = max(contradicted, int(evidence.wrong[-(-len(evidence.wrong) // 4) - 1]))
    error = _sampling(share, count)
    about = round(share * total)
    border = about + 2 / 3 * max(0, contradicted - about) + 1.645 * np.sqrt(contradicted)
    high = min(total, int(max(border, (share + error) * total)))
    return Estimate(about, int(max(0, share - error) * total / 2), high, is_known(probs, labels))


def doubted(probs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Rows whose given label contradicts one of the surest predictions `probs`, (N, C): likely wrong ones."""
    surest = np.concatenate(list(_surest(probs, SUREST).values()))
    return np.sort(surest[labels[surest] != probs[surest].argmax(axis=1)])


def _surest(probs, part):
    """{class: rows of that part of the predictions of it that is surest}."""
    said, sureness, found = probs.argmax(axis=1), probs.max(axis=1), {}
    for label in np.unique(said):
        rows = np.flatnonzero(said == label)
        found[label] = rows[np.argsort(-sureness[rows], kind="stable")[: int(np.ceil(part * len(rows)))]]
    return found


def _contradicted(probs, labels, part=SUREST):
    """(share of given labels that contradict the surest predictions, of how many), each class weighing its size."""
    surest, sizes = _surest(probs, part), np.bincount(probs.argmax(axis=1))
    contradicted = sum((labels[rows] != label).mean() * sizes[label] for label, rows in surest.items())
    return contradicted / len(labels), sum(map(len, surest.values()))


def is_known(probs: np.ndarray, labels: np.ndarray) -> bool:
    """Return whether predictions tell how many labels are wrong (`estimate` says when they do not).

    Args:
        probs: (N, C) of models that never saw the labels.
        labels: int (N,), the given labels.
    """
    share, _ = _contradicted(probs, labels)
    frequencies = np.bincount(labels, minlength=probs.shape[1]) / len(labels)
    gain = np.log(of_label(probs, labels).clip(MIN_PROB)) - np.log(frequencies[labels])
    by_chance = 1 - (frequencies**2).sum()
    (surest, count), (less_sure, _) = (_contradicted(probs, labels, part) for part in LEVELS)
    growth = less_sure - surest - _sampling(surest, count)
    return bool(
        gain.mean() > 3 * gain.std() / np.sqrt(len(labels)) and share < by_chance / 2 and growth <= GROWTH
    )


def _sampling(share, count):
    """90 % sampling error of a share of so many."""
    return 1.645 * np.sqrt(max(share, 1 / count) * (1 - share) / count)


def _of_predictions(evidence):
    """From wrong predictions alone: the last observation's are the fewest, those of a quarter of the way the most."""
    wrong, last = int((evidence.avg_probs < 0.5).sum()), int(evidence.wrong[-1])
    early = int(evidence.wrong[-(-len(evidence.wrong) // 4) - 1])
    low, high = min(wrong, last, early), max(wrong, last, early)
    sampling = (1.645 * np.sqrt([low, high])).astype(int)
    total = len(evidence.labels)
    frequencies = np.bincount(evidence.labels) / total
    by_chance = 1 - (frequencies**2).sum()
    known = has_learned(evidence) and wrong / total < by_chance / 2
    return Estimate(wrong, max(0, low - int(sampling[0])), min(total, high + int(sampling[1])), bool(known))


def has_learned(evidence: Evidence) -> bool:
    """Return whether the last observation predicts labels better than naming the most common class would."""
    total = len(evidence.labels)
    common = np.bincount(evidence.labels).max() / total
    return bool(1 - evidence.wrong[-1] / total >= common + LEARNED * (1 - common))
