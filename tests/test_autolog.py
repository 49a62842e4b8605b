"""`datamap.autolog()`: real trainers record without being told to, until it is disabled."""

import pytest
from mlflow import MlflowClient

import datamap
from trainers import (
    FRAMEWORKS,
    ROWS,
    check,
    records,
)
from trainers import pytestmark as pytestmark


@pytest.fixture(autouse=True)
def undone(store):
    yield
    datamap.autolog(disable=True)


def runs():
    """Ids and statuses of the runs with signals, oldest first."""
    client = MlflowClient()
    experiment = client.get_experiment_by_name("datamap")
    found = (
        client.search_runs([experiment.experiment_id], order_by=["attributes.start_time"])
        if experiment
        else []
    )
    return [(run.info.run_id, run.info.status) for run in found]


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
