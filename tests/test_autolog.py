"""`datamap.autolog()`: real trainers record without being told to, until it is disabled."""

import pytest

import datamap
import trainers
from trainers import (
    FRAMEWORKS,
    ROWS,
    check,
    records,
    runs,
)
from trainers import autolog_undone as autolog_undone

pytestmark = [*trainers.pytestmark, pytest.mark.usefixtures("autolog_undone")]


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_trainer_records_until_autolog_is_disabled(framework):
    datamap.autolog(class_names=["low", "high"])
    datamap.autolog(class_names=["low", "high"])  # twice is once
    training = FRAMEWORKS[framework]()
    training.trainer.train()
    ((run_id, status),) = runs()
    assert status == "FINISHED"
    check(records(run_id, 2), [row["id"] for row in ROWS], training.logits())

    datamap.autolog(disable=True)
    FRAMEWORKS[framework](num_train_epochs=1).trainer.train()
    assert len(runs()) == 1
    assert type(training.trainer).__init__.__module__ == type(training.trainer).__module__
