"""Tokens and several labels in Transformers' Trainer."""

import numpy as np
import pytest

from datamap.errors import ConfigError
from datamap.schema import Task
from trainers import callback_of, records
from trainers import pytestmark as pytestmark

TAGS = ["O", "B-PER", "B-LOC"]


def sentences():
    random = np.random.default_rng(0)
    return [
        {
            "id": f"s{number}",
            "input_ids": random.integers(5, 30, length).tolist(),
            "labels": [-100, *random.integers(0, 3, length - 2).tolist(), -100],
        }
        for number, length in enumerate(random.integers(3, 8, 20).tolist())
    ]


def trained(tmp_path, rows, callback, collate=None, **config):
    import torch
    from transformers import (
        BertConfig,
        BertForSequenceClassification,
        BertForTokenClassification,
        Trainer,
        TrainingArguments,
    )

    def pad(some):
        width = max(len(row["input_ids"]) for row in some)
        batch = {"input_ids": [row["input_ids"] + [0] * (width - len(row["input_ids"])) for row in some]}
        tags = isinstance(some[0]["labels"][0], int)
        batch["labels"] = [
            row["labels"] + [-100] * (width - len(row["labels"])) if tags else row["labels"] for row in some
        ]
        return {name: torch.tensor(values) for name, values in batch.items()}

    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    kind = BertForSequenceClassification if config.get("problem_type") else BertForTokenClassification
    model = kind(BertConfig(vocab_size=30, num_labels=3, **sizes, **config))
    arguments = TrainingArguments(
        str(tmp_path), num_train_epochs=2, per_device_train_batch_size=4, per_device_eval_batch_size=6,
        report_to="none", save_strategy="no", remove_unused_columns=False, use_cpu=True, disable_tqdm=True,
    )  # fmt: skip
    Trainer(model, arguments, train_dataset=rows, data_collator=collate or pad, callbacks=[callback]).train()
    return callback.recorder.run


def test_the_tags_of_tokens_are_recorded(store, tmp_path):
    rows = sentences()
    run = trained(tmp_path, rows, callback_of("transformers", class_names=TAGS))
    assert run.task().task is Task.TOKENS and sorted(run.committed()) == [1, 2]
    expected = {f"{row['id']}:{place}": tag for row in rows for place, tag in enumerate(row["labels"][1:-1])}
    assert {record["id"]: record["label"] for record in records(run.run_id, 2)} == expected


def test_several_labels_are_recorded(store, tmp_path):
    random = np.random.default_rng(1)
    rows = [
        {"id": number, "input_ids": [5, 6, 7], "labels": random.integers(0, 2, 3).astype(float).tolist()}
        for number in range(10)
    ]
    callback = callback_of("transformers", class_names=["a", "b", "c"])
    run = trained(tmp_path, rows, callback, problem_type="multi_label_classification")
    assert run.task().label_names == ["a", "b", "c"]
    expected = {f"{row['id']}:{index}": label for row in rows for index, label in enumerate(row["labels"])}
    assert {record["id"]: record["label"] for record in records(run.run_id, 1)} == expected


def test_a_collator_that_reorders_sentences_is_refused(store, tmp_path):
    import torch

    def backwards(rows):
        width = max(len(row["input_ids"]) for row in rows)
        return {
            name: torch.tensor([row[name] + [fill] * (width - len(row[name])) for row in rows[::-1]])
            for name, fill in (("input_ids", 0), ("labels", -100))
        }

    with pytest.raises(ConfigError, match="the collator leaves rows out, reorders them"):
        trained(tmp_path, sentences(), callback_of("transformers"), backwards)
