"""The callback in Transformers' Trainer: what only Transformers has."""

import sys

import mlflow
import pytest
from mlflow import MlflowClient

from conftest import ROOT
from datamap.errors import ConfigError, DataMapError
from trainers import ROWS, HuggingFace, N, callback_of, records
from trainers import pytestmark as pytestmark


@pytest.mark.parametrize("order", [1, -1])
def test_ids_follow_rows_through_a_collator_that_leaves_out_and_reorders(store, order):
    import torch

    def collate(rows):
        rows = [row for row in rows if row["input_ids"][1] < 30][::order]
        return {key: torch.tensor([row[key] for row in rows]) for key in ("input_ids", "labels")}

    callback = callback_of("transformers")
    training = HuggingFace(callback, ROWS, num_train_epochs=1, remove_unused_columns=False)
    training.trainer.data_collator = collate
    training.trainer.train()
    found = {record["id"]: record["label"] for record in records(callback.recorder.run_id, 1)}
    assert found == {row["id"]: row["labels"] for row in ROWS if row["input_ids"][1] < 30}


TEXTS = {"id": [row["id"] for row in ROWS], "text_a": ["x"] * N, "label": [row["labels"] for row in ROWS]}
UNUSABLE = {
    "ids= has 19 ids, but the training dataset 20 samples": {"ids": range(N - 1)},
    "ids must be whole numbers below 2^63 or strings, not None": {"ids": [*"abcdefghijklmnopqrs", None]},
    "the first batch of the training dataset: the model has 2 classes, class_names= 3": {"class_names": list("abc")},
    "the training dataset: samples= has no id s19": {"samples": {name: some[:-1] for name, some in TEXTS.items()}},
    "the training dataset: samples= has another label, id s0": {
        "samples": {**TEXTS, "label": [1 - TEXTS["label"][0], *TEXTS["label"][1:]]}
    },
    "class_names=: 'a' occurs twice": {"class_names": iter("aa")},
}  # fmt: skip


def no_run():
    client = MlflowClient()
    return not client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])


@pytest.mark.parametrize("message", UNUSABLE)
def test_what_is_known_before_training_is_refused_then(store, message):
    training = HuggingFace(callback_of("transformers", **UNUSABLE[message]))
    with pytest.raises(DataMapError) as caught:
        training.trainer.train()
    assert message in str(caught.value)
    assert (training.trainer.state.global_step, no_run()) == (0, True)


def test_datasets_and_collators_that_cannot_be_followed_are_refused_before_training(store):
    import torch

    def nothing(rows):
        return {"input_ids": torch.zeros((0, 6), dtype=int), "labels": torch.zeros(0, dtype=int)}

    def one_hot(rows):
        batch = HuggingFace().trainer.data_collator(rows)
        return {**batch, "labels": torch.nn.functional.one_hot(batch["labels"], 2).float()}

    def by_label(rows):
        rows = sorted(rows, key=lambda row: row["labels"])
        return {key: torch.tensor([row[key] for row in rows]) for key in ("input_ids", "labels")}

    class Stream(torch.utils.data.IterableDataset):
        def __iter__(self):
            return iter(ROWS)

    for collate, message in (
        (nothing, "the collator leaves out all rows"),
        (one_hot, "several labels per sample are not supported"),
        (by_label, "ids cannot follow rows through the collator"),
    ):
        training = HuggingFace(callback_of("transformers"), remove_unused_columns=False)
        training.trainer.data_collator = collate
        with pytest.raises(DataMapError, match=message):
            training.trainer.train()
    with pytest.raises(ConfigError, match="Stream has no length"):
        HuggingFace(callback_of("transformers"), Stream(), max_steps=3).trainer.train()
    assert no_run()


@pytest.mark.parametrize("removed", [True, False])
def test_ids_of_a_dataset_whose_columns_are_removed(store, removed):
    import datasets

    data = datasets.Dataset.from_list(ROWS)
    callback = callback_of("transformers", data["id"] if removed else None)
    HuggingFace(callback, data, num_train_epochs=1, remove_unused_columns=removed).trainer.train()
    assert [record["id"] for record in records(callback.recorder.run_id, 1)] == data["id"][:]


def test_signals_go_into_the_run_of_transformers_own_mlflow_callback(store, monkeypatch):
    callback = callback_of("transformers")
    HuggingFace(callback, report_to="mlflow", num_train_epochs=1).trainer.train()
    run = MlflowClient().get_run(callback.recorder.run_id)
    assert {"train_loss", "signals.rows"} <= set(run.data.metrics)
    assert (run.info.status, mlflow.active_run()) == ("FINISHED", None)


def test_a_partial_last_epoch_counts(store):
    callback = callback_of("transformers")
    HuggingFace(callback, max_steps=7).trainer.train()  # an epoch has 5
    assert list(callback.recorder.run.committed()) == [1, 2]


def test_a_process_that_dies_in_training_leaves_a_failed_run(store, shell):
    code = (
        "import trainers as t\n"
        "training = t.HuggingFace(t.callback_of('transformers'))\n"
        "training.model.register_forward_pre_hook(t.broken)\n"
        "training.trainer.train()\n"
    )
    outcome = shell([sys.executable, "-c", code], PYTHONPATH=f"{ROOT / 'src'}:{ROOT / 'tests'}")
    assert "model lost" in outcome.err
    (run,) = MlflowClient().search_runs(["1"])
    assert run.info.status == "FAILED"
