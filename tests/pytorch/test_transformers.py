"""The callback in Transformers' Trainer: what only Transformers has."""

import json
import sys

import mlflow
import numpy as np
import pytest
from mlflow import MlflowClient

from conftest import ROOT
from datamap.errors import ConfigError, DataMapError
from trainers import ROWS, HuggingFace, N, callback_of, records, status
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

    for collate, message in (
        (nothing, "the collator leaves out all rows"),
        (one_hot, "for several labels per sample use"),
        (by_label, "ids cannot follow rows through the collator"),
    ):
        training = HuggingFace(callback_of("transformers"), remove_unused_columns=False)
        training.trainer.data_collator = collate
        with pytest.raises(DataMapError, match=message):
            training.trainer.train()
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


def test_observations_by_steps_of_a_subset_with_accumulated_gradients(store):
    callback = callback_of("transformers", every=2, samples=7, seed=3)
    training = HuggingFace(callback, gradient_accumulation_steps=2, num_train_epochs=2)
    training.trainer.train()
    run = callback.recorder.run
    assert list(run.committed().items()) == [(2, 7), (4, 7), (6, 7)]
    assert run.tags()["datamap.observed_samples"] == "7 of 20, seed 3"
    chosen = np.sort(np.random.default_rng(3).choice(N, 7, replace=False))
    file = run.artifacts.folder / "signals/step_000006-00000-of-00001.jsonl"
    assert [json.loads(line)["id"] for line in file.read_text().splitlines()] == [f"s{row}" for row in chosen]


@pytest.mark.parametrize("every", [0, True, 1.5, "epoch"])
def test_every_is_a_number_of_steps(every):
    with pytest.raises(ConfigError, match="every="):
        callback_of("transformers", every=every)


def test_a_resumed_training_goes_on_after_its_last_observation(store):
    options = {"save_strategy": "epoch", "num_train_epochs": 3}
    callback = callback_of("transformers")
    training = HuggingFace(callback, **options)
    training.trainer.add_callback(Stopping(2))
    training.trainer.train()
    first = callback.recorder
    again = callback_of("transformers", run_id=first.run_id, resume=True)
    resumed = HuggingFace(again, **options)
    resumed.trainer.train(resume_from_checkpoint="out/checkpoint-5")  # of epoch 1: epoch 2 is trained again
    assert again.recorder.run_id == first.run_id
    assert list(again.recorder.run.committed()) == [1, 2, 3]
    assert status(first.run_id) == "FINISHED"
    with pytest.raises(DataMapError, match="holds signals already.*resume=True"):
        HuggingFace(callback_of("transformers", run_id=first.run_id)).trainer.train()


def Stopping(epoch):  # noqa: N802  a class of transformers, which is imported late
    import transformers

    class Stops(transformers.TrainerCallback):
        def on_epoch_end(self, args, state, control, **kwargs):
            control.should_training_stop = state.epoch >= epoch

    return Stops()


class Repeating:
    """What people give a Trainer to draw rows by weight: some several times, others never."""

    def __init__(self, training):
        import torch

        weights = [1.0] * 5 + [0.0] * (N - 5)
        training.trainer._get_train_sampler = lambda *_: torch.utils.data.WeightedRandomSampler(weights, N)


@pytest.mark.parametrize("options", [{}, {"dataloader_drop_last": True, "per_device_train_batch_size": 6}])
def test_every_sample_is_observed_though_the_sampler_repeats_or_leaves_out(store, options):
    callback = callback_of("transformers")
    training = HuggingFace(callback, num_train_epochs=1, **options)
    if not options:
        Repeating(training)
    training.trainer.train()
    assert callback.recorder.run.committed() == {1: N}


def stream_of(rows):
    import torch

    class Stream(torch.utils.data.IterableDataset):
        def __iter__(self):
            return iter(rows)

    return Stream()


def test_a_stream_is_observed_as_far_as_samples_says(store):
    callback = callback_of("transformers", every=2, samples=8)
    HuggingFace(callback, stream_of(ROWS), max_steps=4).trainer.train()
    assert list(callback.recorder.run.committed().items()) == [(2, 8), (4, 8)]
    bare = [{key: value for key, value in row.items() if key != "id"} for row in ROWS]
    for rows, arguments, message in (
        (ROWS, {}, "Stream has no length: give samples=2000"),
        (bare, {"samples": 8}, "rows of Stream have no id.*remove_unused_columns=False"),
    ):
        training = HuggingFace(callback_of("transformers", **arguments), stream_of(rows), max_steps=2)
        with pytest.raises(ConfigError, match=message):
            training.trainer.train()
