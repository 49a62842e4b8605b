"""Whether a model learns its labels by heart: it then knows the wrong ones too, and no longer contradicts them."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

# How far accuracy on the samples of training is ahead of that on unseen ones.
SLIGHT = 0.05  # from here on, what a model says of its own samples is no evidence
GAP = 0.1  # from here on, it learns labels by heart
# Where there are no unseen samples: labels that are likely wrong, and what share of them a model still contradicts.
FEWEST = 10  # such labels; fewer tell nothing
CONTRADICTED = 0.4  # below this share it has learnt them by heart
STILL = 0.9  # from this share on, what it says of its own samples is evidence


class Memorisation(NamedTuple):
    """Labels are learnt by heart from observation `number` on; at the last one the model is right in `seen` of the
    samples that it is trained on, and in `unseen` of others. Or, where `doubted` is not 0, it repeats a share of `seen`
    of so many labels that are likely wrong.
    """

    number: int
    seen: float
    unseen: float
    doubted: int = 0


def memorisation(
    seen: Mapping[int, float], unseen: Mapping[int, float], gap: float = GAP
) -> Memorisation | None:
    """Where training accuracy leaves accuracy on unseen samples behind, and stays ahead by `gap` or more.

    A model first learns what samples have in common, then single samples (Arpit et al. 2017).

    Args:
        seen: {observation number: accuracy on the samples that the model is trained on, by their given labels}.
        unseen: {observation number: accuracy on others}; numbers that only one of both has are left out.
    Returns:
        `Memorisation`; None where it does not stay ahead, or nothing is known.

    >>> memorisation({1: 0.6, 2: 0.8, 3: 0.95}, {1: 0.6, 2: 0.65, 3: 0.65})
    Memorisation(number=2, seen=0.95, unseen=0.65, doubted=0)
    """
    numbers = sorted(seen.keys() & unseen.keys())
    behind = [number for number in numbers if seen[number] - unseen[number] < gap]
    ahead = [number for number in numbers if not behind or number > behind[-1]]
    if not ahead:
        return None
    last = numbers[-1]
    return Memorisation(ahead[0], float(seen[last]), float(unseen[last]))


def of_doubted(numbers: Iterable[int], correct: np.ndarray) -> Memorisation | None:
    """Where a model begins to repeat labels that are likely wrong, and does not stop.

    A model that generalizes contradicts a wrong label until it knows that label by heart (Liu et al. 2020, fig. 1).

    Args:
        numbers: of the T observations.
        correct: bool (T, M): whether the model predicts each of these M labels, which models that never saw
            them are surest to be wrong (`counting.doubted`).
    Returns:
        `Memorisation`; None where it goes on contradicting them, or they are fewer than `FEWEST`.
    """
    count = correct.shape[1]
    if count < FEWEST:
        return None
    repeated = dict(zip(numbers, correct.mean(axis=1).tolist(), strict=True))
    found = memorisation(repeated, dict.fromkeys(repeated, 0.0), 1 - CONTRADICTED)
    return found and found._replace(doubted=count)


def informative(seen: Mapping[int, float], unseen: Mapping[int, float]) -> list[int]:
    """Numbers of the observations in which the model says more of a sample than that it has seen its label.

    Those before training accuracy leads by `SLIGHT`; where nothing tells, only the first one, made when each label
    was seen once. Arguments as of `memorisation`.

    >>> informative({1: 0.6, 2: 0.7, 3: 0.8}, {1: 0.6, 2: 0.68, 3: 0.7}), informative({1: 0.6, 2: 0.7}, {})
    ([1, 2], [1])
    """
    if not seen.keys() & unseen.keys():
        return [min(seen)]
    begins = memorisation(seen, unseen, SLIGHT)
    return [number for number in sorted(seen) if begins is None or number < begins.number]


def informative_of_doubted(numbers: Iterable[int], correct: np.ndarray) -> list[int]:
    """The same from labels that are likely wrong: up to the last observation that contradicts nearly all of them.

    Arguments as of `of_doubted`; only the first observation where there is none, or too few such labels.

    >>> wrong = np.ones((3, 20), bool)
    >>> wrong[:2] = False
    >>> informative_of_doubted((1, 2, 3), wrong)
    [1, 2]
    """
    numbers = list(numbers)
    if correct.shape[1] < FEWEST:
        return numbers[:1]
    still = np.flatnonzero(1 - correct.mean(axis=1) >= STILL)
    return numbers[: still[-1] + 1] if len(still) else numbers[:1]


def contradicts_to_the_end(correct: np.ndarray) -> bool:
    """Whether the last observation still contradicts nearly all labels that are likely wrong; `correct` as of
    `of_doubted`. False where they are too few to tell.
    """
    return correct.shape[1] >= FEWEST and bool(1 - correct[-1].mean() >= STILL)


def accuracies(numbers: Iterable[int], wrong: np.ndarray, total: int) -> dict[int, float]:
    """{observation number: accuracy} of how many of `total` samples each observation predicted wrong."""
    return dict(zip(numbers, (1 - np.asarray(wrong) / total).tolist(), strict=True))
