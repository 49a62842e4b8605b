"""The callback in Transformers' Trainer: what only Transformers has."""

import itertools
import json
import re
import sys

import mlflow
import numpy as np
import pytest
from mlflow import MlflowClient

from conftest import ROOT
from datamap.errors import ConfigError, DataMapError
from trainers import ROWS, SMALL, HuggingFace, N, callback_of, records, status
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


def changed(row, **values):
    """The rows, one of which has other values."""
    return [*ROWS[:row], {**ROWS[row], **values}, *ROWS[row + 1 :]]


UNUSABLE_ROWS = {
    "ids of the training dataset occur twice: s4": changed(9, id="s4"),
    "ids must be whole numbers below 2^63 or strings, not None": changed(9, id=None),
    "a row of the training dataset has no label ['labels', 'label', 'label_ids'] (it has: id, input_ids)": [
        {key: row[key] for key in ("id", "input_ids")} for row in ROWS
    ],
    "label is not in 0..1, id s9": changed(9, labels=-100),  # beyond the first batch
}


@pytest.mark.parametrize("message", UNUSABLE_ROWS)
def test_rows_that_cannot_be_observed_are_refused_before_training(store, message):
    training = HuggingFace(callback_of("transformers"), UNUSABLE_ROWS[message])
    with pytest.raises(DataMapError, match=re.escape(message)):
        training.trainer.train()
    assert (training.trainer.state.global_step, no_run()) == (0, True)


def test_models_that_cannot_be_observed_are_refused_before_training(store):
    import transformers

    def lost(rows):
        raise KeyError("a column went")

    regression = transformers.BertForSequenceClassification(transformers.BertConfig(**SMALL, num_labels=1))
    seq2seq = transformers.T5ForConditionalGeneration(
        transformers.T5Config(vocab_size=50, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2)
    )
    for name, value, message in (
        ("model", regression, "for a regression, record the losses with task='scores'"),
        ("model", seq2seq, "T5ForConditionalGeneration is not a causal language model"),
        ("data_collator", lost, "cannot be observed as task='classification': 'a column went'"),
    ):
        training = HuggingFace(callback_of("transformers"))
        setattr(training.trainer, name, value)
        if name == "model":
            training.trainer.callback_handler.model = value
        with pytest.raises(DataMapError, match=message):
            training.trainer.train()
    assert no_run()


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
    with pytest.raises(DataMapError, match="already holds signals.*resume=True"):
        HuggingFace(callback_of("transformers", run_id=first.run_id)).trainer.train()


def Stopping(epoch):  # noqa: N802  a class of transformers, which is imported late
    import transformers

    class Stops(transformers.TrainerCallback):
        def on_epoch_end(self, args, state, control, **kwargs):
            control.should_training_stop = state.epoch >= epoch

    return Stops()


class Repeating:
    """Draw rows by weight, as people let a Trainer do: some several times, others never."""

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


def test_batches_of_similar_lengths(store):
    import inspect

    import transformers

    known = inspect.signature(transformers.TrainingArguments).parameters
    old = "group_by_length" in known  # until Transformers 5
    way = {"group_by_length": True} if old else {"train_sampling_strategy": "group_by_length"}
    callback = callback_of("transformers")
    HuggingFace(callback, num_train_epochs=1, eval_strategy="no", **way).trainer.train()
    assert [record["id"] for record in records(callback.recorder.run_id, 1)] == [row["id"] for row in ROWS]


def test_a_classifier_with_adapters_has_the_embeddings_of_its_encoder(store):
    import peft

    callback = callback_of("transformers")
    training = HuggingFace(callback, num_train_epochs=1)
    config = peft.LoraConfig(task_type="SEQ_CLS", r=2, target_modules=["query", "value"])
    adapted = peft.get_peft_model(training.model, config)
    training.trainer.model = training.trainer.model_wrapped = training.trainer.callback_handler.model = (
        adapted
    )
    training.trainer.train()
    run = callback.recorder.run
    assert (run.committed(), run.files("embeddings")) == ({1: N}, ["embeddings/embeddings.parquet"])


def stream_of(rows):
    import torch

    class Stream(torch.utils.data.IterableDataset):
        def __iter__(self):
            return iter(rows)

    return Stream()


def test_a_stream_is_observed_as_far_as_samples_says(store):
    callback = callback_of("transformers", every=2, samples=8)
    HuggingFace(callback, stream_of(ROWS), max_steps=4).trainer.train()
    run = callback.recorder.run
    assert list(run.committed().items()) == [(2, 8), (4, 8)]
    assert run.tags()["datamap.observed_samples"] == "the first 8 of a stream"
    bare = [{key: value for key, value in row.items() if key != "id"} for row in ROWS]
    named = callback_of("transformers", itertools.count(100), samples=3)
    HuggingFace(named, stream_of(bare), max_steps=5).trainer.train()
    assert [record["id"] for record in records(named.recorder.run_id, 1)] == [100, 101, 102]
    for rows, arguments, message in (
        (ROWS, {}, "Stream has no length: give samples=2000"),
        (bare, {"samples": 8}, "rows of Stream have no id.*remove_unused_columns=False"),
    ):
        training = HuggingFace(callback_of("transformers", **arguments), stream_of(rows), max_steps=2)
        with pytest.raises(ConfigError, match=message):
            training.trainer.train()
