"""Detect memorization: a model that has memorized its labels repeats the wrong ones too instead of contradicting them.

Training goes through two phases. At first a model learns patterns that many samples share, so that its predictions are
informative about a sample's true class. Later it memorizes single samples (Arpit et al. 2017): it predicts the given
label because it has seen it, right or wrong (Liu et al. 2020, fig. 1). Two signs show where the second phase begins:
accuracy on the samples of training rises above accuracy on unseen samples (`from_accuracies`), or the model starts to
repeat labels that models of the texts are sure are wrong (`from_doubted`).
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

MEMORIZED_LEAD = 0.1  # lead of accuracy on the samples of training over accuracy on unseen samples
# Of the labels that the model would not predict unseen, the share that it repeats in the end.
MIN_MEMORIZED = 0.5
# Where no accuracy on unseen samples is known: labels that are likely wrong, and the share that the model contradicts.
MIN_DOUBTED = 10  # fewer such labels prove nothing
MIN_CONTRADICTED = 0.4  # below this share the model has memorized them


class Onset(NamedTuple):
    """Describe where memorization begins.

    Attributes:
        number: the first observation of the phase, which lasts until the last observation.
        seen: accuracy on the samples of training at the last observation; if `doubted` is not 0, the share of the
            doubted labels that the model repeats there.
        unseen: accuracy on unseen samples at the last observation; 0 if `doubted` is not 0.
        doubted: the number of labels that are likely wrong, if the onset was found by them; else 0.
    """

    number: int
    seen: float
    unseen: float
    doubted: int = 0


def from_accuracies(
    seen: Mapping[int, float], unseen: Mapping[int, float], lead: float = MEMORIZED_LEAD
) -> Onset | None:
    """Find the first observation from which accuracy on the samples of training stays ahead of accuracy on others.

    The onset is the smallest t such that seen[s] − unseen[s] ≥ lead for every observation s ≥ t. A lead that shrinks
    again is noise, not memorization. In the end the model must repeat `MIN_MEMORIZED` of the labels that it would not
    predict unseen: (seen − unseen) / (1 − unseen). A model that is right for 60 % of its samples has memorized few
    labels.

    Args:
        seen: {observation number: accuracy on the samples of training, by their given labels}, in [0, 1].
        unseen: {observation number: accuracy on other samples}; numbers that only one of both has are ignored.
        lead: the difference of accuracies that counts as memorization.

    Returns:
        The onset; None if training accuracy does not stay ahead, or the two have no observation in common.

    >>> from_accuracies({1: 0.6, 2: 0.8, 3: 0.95}, {1: 0.6, 2: 0.65, 3: 0.65})
    Onset(number=2, seen=0.95, unseen=0.65, doubted=0)
    """
    numbers = sorted(seen.keys() & unseen.keys())
    behind = [number for number in numbers if seen[number] - unseen[number] < lead]
    ahead = [number for number in numbers if not behind or number > behind[-1]]
    if not ahead:
        return None
    last = numbers[-1]
    if seen[last] - unseen[last] < MIN_MEMORIZED * (1 - unseen[last]):
        return None
    return Onset(ahead[0], float(seen[last]), float(unseen[last]))


def from_doubted(seen: Mapping[int, float], unseen: float, correct: np.ndarray) -> Onset | None:
    """Detect memorization by labels that are likely wrong: a model contradicts them until it memorizes them.

    Memorization begins where the model contradicts fewer than `MIN_CONTRADICTED` of them and never more again. In the
    end its accuracy must also exceed that of the models that doubt the labels by as much as `from_accuracies` requires:
    a model that predicts as few given labels as they do agrees with these for another reason than that it has seen
    them.

    Args:
        seen: {number of the observation: accuracy on the samples of training, by their given labels}, T of them.
        unseen: accuracy of the models that never saw the labels.
        correct: bool (T, M): True where the model predicts the given label, for each of the M labels that models which
            never saw them most confidently contradict (`counting.doubted_rows`); observations ascend.

    Returns:
        The onset; None if there is none, or if M is below `MIN_DOUBTED`.

    >>> repeats = np.zeros((3, 20), bool)
    >>> repeats[2] = True
    >>> from_doubted({1: 0.7, 2: 0.8, 3: 0.95}, 0.75, repeats)
    Onset(number=3, seen=1.0, unseen=0.0, doubted=20)
    """
    numbers, count = sorted(seen), correct.shape[1]
    last = numbers[-1]
    if count < MIN_DOUBTED or not from_accuracies({last: seen[last]}, {last: unseen}):
        return None
    repeated = dict(zip(numbers, correct.mean(axis=1).tolist(), strict=True))
    found = from_accuracies(repeated, dict.fromkeys(numbers, 0.0), 1 - MIN_CONTRADICTED)
    return found and found._replace(doubted=count)


def accuracies(numbers: Iterable[int], wrong: np.ndarray, total: int) -> dict[int, float]:
    """Return {observation number: accuracy} from the number of wrong predictions among `total` samples.

    >>> accuracies([1, 2], np.array([5, 2]), 10)
    {1: 0.5, 2: 0.8}
    """
    return dict(zip(numbers, (1 - np.asarray(wrong) / total).tolist(), strict=True))
