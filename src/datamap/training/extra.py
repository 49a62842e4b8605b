"""Choose the samples of the extra trainings: folds that hold samples out, and threshold samples."""

from dataclasses import dataclass, replace

import numpy as np

from datamap.data.dataset import AnyDataset, TextDataset
from datamap.data.units import UnitDataset
from datamap.errors import DataError


@dataclass(frozen=True)
class ExtraTraining:
    """Describe a training in addition to the run's main one.

    Attributes:
        train: samples that it trains on.
        observed: samples whose signals it records.
        rows: rows of `train` among the run's samples, an int array.
        observed_rows: rows of `observed` among the run's samples, an int array.
        folder: folder of its signals in the run; it writes shard `index` of `count` there.
    """

    folder: str
    index: int
    count: int
    train: AnyDataset
    observed: AnyDataset
    rows: np.ndarray
    observed_rows: np.ndarray

    @property
    def texts(self) -> list[str]:
        """Return the texts that a model from scratch makes its vocabulary of.

        For tokens these are all texts of a run: the vocabulary decides how many tokens fit into the model's length, and
        each fold must observe those that the main training does.
        """
        texts = self.train.texts_a + (self.train.texts_b or [])
        if isinstance(self.train, TextDataset):
            return texts
        order = np.argsort([*self.rows, *self.observed_rows])
        return [(texts + self.observed.texts_a)[row] for row in order]


def fold_trainings(samples: AnyDataset, count: int, seed: int, folder: str) -> list[ExtraTraining]:
    """Return one training per fold: it trains on the other folds and observes the samples of its own.

    Spread each class evenly over the folds, so that a model that never saw a sample can judge its label; of samples
    with several units the rarest class that each of them has. All units of a sample are in its fold.

    Raises:
        DataError: there are more folds than samples.
    """
    if count > len(samples):
        raise DataError(f"data.folds={count}, but there are only {len(samples)} samples: give fewer folds")
    if isinstance(samples, UnitDataset):
        samples = replace(samples, original=None)  # not needed, and as large as the file
    fold = _spread(_classes(samples), count, seed)
    return [
        _of_rows(folder, k, count, samples, np.flatnonzero(fold != k), np.flatnonzero(fold == k))
        for k in range(count)
    ]


def threshold_training(samples: TextDataset, seed: int, folder: str) -> ExtraTraining:
    """Return the training in which N / (C + 1) random samples form a class of their own and are observed.

    Nothing in their texts explains that class, so the model can only memorize it: their margins look like those of
    wrong labels, and a quantile of them is a threshold for the margins of all samples (Pleiss et al. 2020, sec. 3).
    N is the number of samples and C the number of classes.
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
    folder: str, index: int, count: int, samples: AnyDataset, rows: np.ndarray, observed: np.ndarray
) -> ExtraTraining:
    return ExtraTraining(folder, index, count, samples.take(rows), samples.take(observed), rows, observed)


def _classes(samples: AnyDataset) -> np.ndarray:
    """Return the class of each sample; of several units the rarest that it has, −1 for a text without a label."""
    if isinstance(samples, TextDataset):
        return samples.labels
    tags = samples.words is not None
    given = [np.unique(one) if tags else np.flatnonzero(one) for one in samples.labels]
    counts = np.bincount(np.concatenate(given), minlength=len(samples.class_names))
    return np.array([one[counts[one].argmin()] if len(one) else -1 for one in given])


def _spread(labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return a random number below `count` for each sample, each number equally often in every class.

    scikit-learn's StratifiedKFold would draw other folds, so a run of an earlier version could not be resumed; it
    also warns of classes with fewer samples than folds.
    """
    order = np.random.default_rng([seed, 3]).permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    numbers = np.empty(len(labels), np.int64)
    numbers[order] = np.arange(len(labels)) % count
    return numbers
