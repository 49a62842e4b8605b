"""Tokens and several labels in Lightning's Trainer, and in Transformers' Trainer under several processes."""

import numpy as np
import pandas as pd
import pytest

from conftest import ROOT, local
from datamap.errors import ConfigError
from datamap.schema import Task
from ranks import together as together
from trainers import DOCUMENTS, SENTENCES, TAGS, callback_of, records, units_of
from trainers import pytestmark as pytestmark


def lightning_training(callback, rows, labels=lambda values: values):
    """Train a model of tokens, or of three labels, for two epochs in Lightning."""
    import lightning
    import torch

    tags = rows is SENTENCES
    vectors = torch.nn.Embedding(50, 3)

    class Model(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.vectors = vectors

        def training_step(self, batch, number):
            ids, tokens, given = batch
            logits = self.vectors(tokens) if tags else self.vectors(tokens).mean(1)
            if tags:
                loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), given.flatten())
            else:
                loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, given.float())
            return {"loss": loss, "ids": ids, "labels": labels(given), "logits": logits}

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), 0.01)

    def collate(some):
        padded = torch.nn.utils.rnn.pad_sequence
        tokens = padded([torch.tensor(row["input_ids"]) for row in some], batch_first=True)
        given = [torch.tensor(row["labels"]) for row in some]
        filled = padded(given, batch_first=True, padding_value=-100) if tags else torch.stack(given)
        return [row["id"] for row in some], tokens, filled

    loader = torch.utils.data.DataLoader(rows, batch_size=4, shuffle=True, collate_fn=collate)
    lightning.Trainer(
        max_epochs=2, callbacks=[callback], accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, log_every_n_steps=1,
    ).fit(Model(), loader)  # fmt: skip
    return callback.recorder.run


def found(run, number):
    return {record["id"]: record["label"] for record in records(run.run_id, number)}


def test_lightning_tells_tokens_by_their_shape(store, command):
    run = lightning_training(callback_of("lightning", class_names=TAGS), SENTENCES)
    assert run.task().task is Task.TOKENS and found(run, 2) == units_of(SENTENCES)
    assert command("summarize", f"run_id={run.run_id}").code == 0


@pytest.mark.parametrize("options", [{}, {"task": "multilabel"}])
def test_lightning_tells_several_labels_by_their_shape(store, options):
    run = lightning_training(callback_of("lightning", class_names=["a", "b", "c"], **options), DOCUMENTS)
    assert run.task().label_names == ["a", "b", "c"] and found(run, 1) == units_of(DOCUMENTS)


def test_lightning_asks_where_a_vector_may_be_one_label(store):
    import torch

    def one_hot(values):
        return torch.nn.functional.one_hot(values.argmax(1), 3).float()

    with pytest.raises(ConfigError, match="give DataMapCallback.task='multilabel'., or return class indices"):
        lightning_training(callback_of("lightning"), DOCUMENTS, one_hot)


TRAINER = """
import sys
sys.path.insert(0, {tests!r})
import trainers
rows = getattr(trainers, sys.argv[1])
callback = trainers.callback_of("transformers", every=2, samples=13)
trainers.unit_training(
    "transformers", callback, rows, ["O", "B-PER", "B-LOC"], learning_rate=0.0, use_cpu=True
).trainer.train()
"""


@pytest.mark.parametrize("name", ["SENTENCES", "DOCUMENTS"])
def test_processes_divide_the_units_of_a_pass(name, together, command, client):
    """The model never changes, so that signals are the same but for rounding."""
    script = TRAINER.format(tests=str(ROOT / "tests"))
    tables, drawn = [], np.sort(np.random.default_rng(0).choice(20, 13, replace=False))
    for count in (1, 2):
        done, run_id = together(count, script, name)
        assert done.code == 0, done.err
        steps = [metric.step for metric in client.get_metric_history(run_id, "signals.rows")]
        assert steps == ([2, 4, 6, 8, 10] if count == 1 else [2, 4, 6])
        assert client.get_run(run_id).data.tags["datamap.observed_samples"] == "13 of 20, seed 0"
        assert command("summarize", f"run_id={run_id}").code == 0
        tables.append(summary(client, run_id))
    rows = {"SENTENCES": SENTENCES, "DOCUMENTS": DOCUMENTS}[name]
    assert dict(zip(tables[0]["id"], tables[0]["label"], strict=True)) == units_of([rows[n] for n in drawn])
    columns = ["id", "label", "avg_probs", "correct_ratio"]
    pd.testing.assert_frame_equal(tables[0][columns], tables[1][columns], rtol=1e-5)


def summary(client, run_id):
    with local(client, run_id, "summary.tsv").open("rb") as file:
        return pd.read_csv(file, sep="\t")
