"""Further trainings over the same samples: folds that hold samples out, and threshold samples."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from datamap.errors import DataError


class Pass(NamedTuple):
    """A training besides the run's own: what it trains on, and which samples it observes.

    Its observations are shard `index` of `count` below `folder`. Both are `dataset.Samples`.
    """

    folder: str
    index: int
    count: int
    train: object
    observed: object


def folds(samples, count, seed, folder):
    """One `Pass` a fold: trained on the other folds, it observes the samples that it has not seen.

    Every class is spread evenly over the folds.

    Raises:
        DataError: there are more folds than samples.
    """
    if count > len(samples):
        raise DataError(f"data.folds={count}, but there are only {len(samples)} samples")
    fold = _spread(samples.labels, count, seed)
    return [
        Pass(
            folder, k, count, samples.take(np.flatnonzero(fold != k)), samples.take(np.flatnonzero(fold == k))
        )
        for k in range(count)
    ]


def threshold(samples, seed, folder):
    """The `Pass` in which N / (C + 1) random samples are trained as a class of their own.

    No text can tell why they are of that class, so that their margins are those of wrong labels
    (Pleiss et al. 2020, sec. 3). It observes just them.
    """
    classes = len(samples.class_names)
    rows = _spread(samples.labels, classes + 1, seed + 1) == 0
    marked = replace(
        samples,
        labels=np.where(rows, classes, samples.labels),
        class_names=(*samples.class_names, "(threshold)"),
    )
    return Pass(folder, 0, 1, marked, marked.take(np.flatnonzero(rows)))


def _spread(labels, count, seed):
    """A number below `count` for each sample, at random, each equally often in every class."""
    order = np.random.default_rng([seed, 3]).permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    numbers = np.empty(len(labels), np.int64)
    numbers[order] = np.arange(len(labels)) % count
    return numbers
