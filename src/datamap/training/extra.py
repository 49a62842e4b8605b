"""Extra trainings on the same samples: folds that hold samples out, and threshold samples."""

from dataclasses import dataclass, replace

import numpy as np

from datamap.data.dataset import Samples
from datamap.errors import DataError


@dataclass(frozen=True)
class ExtraTraining:
    """A training besides the run's main one: what it trains on, and which samples it observes.

    Its observations are shard `index` of `count` below `folder`; `rows` and `observed_rows` are its samples'
    rows among the run's (int arrays).
    """

    folder: str
    index: int
    count: int
    train: Samples
    observed: Samples
    rows: np.ndarray
    observed_rows: np.ndarray


def folds(samples: Samples, count: int, seed: int, folder: str) -> list[ExtraTraining]:
    """One training per fold: on the other folds, observing the samples that it does not train on.

    Every class is spread evenly over the folds.

    Raises:
        DataError: there are more folds than samples.
    """
    if count > len(samples):
        raise DataError(f"data.folds={count}, but there are only {len(samples)} samples: give fewer folds")
    fold = _spread(samples.labels, count, seed)
    return [
        _of_rows(folder, k, count, samples, np.flatnonzero(fold != k), np.flatnonzero(fold == k))
        for k in range(count)
    ]


def threshold(samples: Samples, seed: int, folder: str) -> ExtraTraining:
    """The training in which N / (C + 1) random samples are a class of their own, and are observed.

    No text can tell why they are of that class, so that their margins are those of wrong labels
    (Pleiss et al. 2020, sec. 3).
    """
    classes = len(samples.class_names)
    rows = _spread(samples.labels, classes + 1, seed + 1) == 0
    marked = replace(
        samples,
        labels=np.where(rows, classes, samples.labels),
        class_names=(*samples.class_names, "(threshold)"),
    )
    return _of_rows(folder, 0, 1, marked, np.arange(len(marked)), np.flatnonzero(rows))


def _of_rows(
    folder: str, index: int, count: int, samples: Samples, rows: np.ndarray, observed: np.ndarray
) -> ExtraTraining:
    return ExtraTraining(folder, index, count, samples.take(rows), samples.take(observed), rows, observed)


def _spread(labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """A number below `count` for each sample, at random, each equally often in every class.

    Not scikit-learn's StratifiedKFold: its folds are others, so that a run that an earlier version began
    could not be resumed; and it warns of classes with fewer samples than folds.
    """
    order = np.random.default_rng([seed, 3]).permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    numbers = np.empty(len(labels), np.int64)
    numbers[order] = np.arange(len(labels)) % count
    return numbers
