"""Folds hold every sample out once; threshold samples are a class of their own."""

import dataclasses

import numpy as np
import pytest

from datamap.data import dataset
from datamap.errors import DataError
from datamap.training import extra


@pytest.fixture
def samples(pairs_file):
    return dataset.load_samples(pairs_file, dict.fromkeys(dataset.COLUMNS, "auto"))


@pytest.mark.parametrize("count", [2, 5, 36])
def test_every_sample_is_held_out_once_by_a_model_that_never_saw_it(samples, count):
    found = extra.fold_trainings(samples, count, 1, "holdout")
    assert [(one.index, one.count, one.folder) for one in found] == [
        (k, count, "holdout") for k in range(count)
    ]
    assert sorted(i for one in found for i in one.observed.ids) == samples.ids
    for one in found:
        assert set(one.train.ids).isdisjoint(one.observed.ids)
        assert len(one.train) + len(one.observed) == len(samples)
        assert one.train.class_names == samples.class_names


def test_rows_are_those_of_the_samples(samples):
    for one in [
        *extra.fold_trainings(samples, 3, 1, "holdout"),
        extra.threshold_training(samples, 1, "threshold"),
    ]:
        assert samples.take(one.rows).texts_a == one.train.texts_a
        assert samples.take(one.observed_rows).ids == one.observed.ids


def test_folds_have_as_many_of_each_class(samples):
    rare = dataclasses.replace(samples, labels=np.where(np.arange(36) < 9, 1, 0))
    for one in extra.fold_trainings(rare, 3, 1, "holdout"):
        assert (one.observed.labels == 1).sum() == 3


def test_folds_depend_on_the_seed_alone(samples):
    first, again, other = (
        extra.fold_trainings(samples, 3, seed, "holdout")[0].observed.ids for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_more_folds_than_samples_are_refused(samples):
    with pytest.raises(DataError, match=r"data\.folds=40, but there are only 36 samples"):
        extra.fold_trainings(samples, 40, 1, "holdout")


def test_threshold_samples_are_a_share_of_every_class(samples):
    one = extra.threshold_training(samples, 1, "threshold")
    assert len(one.observed) == 36 / 3  # N / (C + 1)
    assert set(one.observed.labels) == {2}
    assert one.train.class_names == ("0", "1", "(threshold)")
    chosen = np.isin(samples.ids, one.observed.ids)
    assert np.bincount(samples.labels[chosen]).tolist() == [6, 6]
    assert (one.train.labels[~chosen] == samples.labels[~chosen]).all()
    assert samples.labels.max() == 1  # the run's own training is as it was
