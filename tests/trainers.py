"""Tiny models in foreign trainers, and what their runs must hold."""

import json
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient

import datamap

ROOT = Path(__file__).resolve().parents[1]
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*pin_memory.*:UserWarning"),  # of torch, without a GPU
    pytest.mark.filterwarnings("ignore:.*does not have many workers.*"),  # of lightning
    pytest.mark.filterwarnings("ignore:.*LeafSpec.* is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.* is deprecated:FutureWarning"),  # of trl
]
N, LENGTH = 20, 6
TOKENS = np.random.default_rng(0).integers(1, 50, (N, LENGTH))
LABELS = (TOKENS[:, 0] > 25).astype(int)
ROWS = [{"id": f"s{n}", "input_ids": TOKENS[n].tolist(), "labels": int(LABELS[n])} for n in range(N)]
SMALL = {
    "vocab_size": 50, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8,
    "max_position_embeddings": 16,
}  # fmt: skip


TAGS = ["O", "B-PER", "B-LOC"]  # of `SENTENCES`, whose special tokens and second pieces of words have none
LENGTHS = np.random.default_rng(1).integers(3, 9, N).tolist()
SENTENCES = [
    {
        "id": f"s{n}",
        "input_ids": [1, *np.random.default_rng(n).integers(5, 50, length - 2).tolist(), 2],
        "labels": [-100, *(-100 if n % 3 == 1 == t else (n + t) % 3 for t in range(length - 2)), -100],
    }
    for n, length in enumerate(LENGTHS)
]
DOCUMENTS = [
    {**row, "labels": [float(token > 25) for token in row["input_ids"][:3]]} for row in ROWS
]  # several labels


def units_of(rows):
    """{id of the unit: its label} of `SENTENCES` or `DOCUMENTS`."""
    return {
        f"{row['id']}:{place}": int(label)
        for row in rows
        for place, label in enumerate(label for label in row["labels"] if label != -100)
    }


def padded(rows):
    """A batch as lists: texts filled up with 0, tags with -100."""
    width = max(len(row["input_ids"]) for row in rows)
    tags = any(-100 in row["labels"] for row in rows if isinstance(row["labels"], list))
    fill = {"input_ids": 0, "labels": -100}
    return {
        key: [
            row[key] + [fill[key]] * (width - len(row[key])) if key == "input_ids" or tags else row[key]
            for row in rows
        ]
        for key in fill
    }


def records(run_id, epoch):
    folder = Path(MlflowClient().get_run(run_id).info.artifact_uri)
    text = (folder / f"signals/epoch_{epoch:04d}-00000-of-00001.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def autolog_undone(store):
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


def torchrun(count, *script):
    """The command line that runs a script in several processes."""
    return [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count),
        *map(str, script),
    ]  # fmt: skip


def status(run_id):
    return MlflowClient().get_run(run_id).info.status


def check(records, ids, logits):
    """The records are of these samples, in this order, and say what the logits say."""
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert [record["id"] for record in records] == list(ids)
    assert [record["label"] for record in records] == LABELS.tolist()
    np.testing.assert_allclose([record["probs"] for record in records], probs, atol=1e-5)


def broken(module, *_):
    """Fail in training, as a hook of PyTorch or Paddle before the forward pass."""
    if module.training:
        raise OSError("model lost")


class HuggingFace:
    """A tiny BERT in Transformers' Trainer, with dropout; `head` and `config` are the model's."""

    def __init__(self, callback=None, dataset=None, head="Sequence", config=None, collate=None, **arguments):
        import torch
        import transformers

        torch.manual_seed(0)
        kind = getattr(transformers, f"BertFor{head}Classification")
        self.model = kind(transformers.BertConfig(**SMALL, **(config or {})))
        options = {
            "output_dir": "out", "num_train_epochs": 2, "per_device_train_batch_size": 4, "learning_rate": 1e-2,
            "per_device_eval_batch_size": 7, "report_to": "none", "save_strategy": "no", "disable_tqdm": True,
        } | arguments  # fmt: skip
        self.trainer = transformers.Trainer(
            self.model,
            transformers.TrainingArguments(**options),
            data_collator=collate or transformers.default_data_collator,
            train_dataset=dataset or ROWS,
            callbacks=[callback] if callback else [],
        )

    def logits(self):
        import torch

        self.model.eval()
        with torch.no_grad():
            return self.model(input_ids=torch.tensor(TOKENS)).logits.numpy()

    def weights(self):
        return [value.numpy().copy() for value in self.model.state_dict().values()]


class PaddleNLP:
    """A tiny ERNIE in PaddleNLP's Trainer, with dropout; `head` and `config` are the model's."""

    def __init__(self, callback=None, dataset=None, head="Sequence", config=None, collate=None, **arguments):
        import paddle
        from paddlenlp import transformers
        from paddlenlp.trainer import Trainer, TrainingArguments

        paddle.seed(0)
        kind = getattr(transformers, f"ErnieFor{head}Classification")
        self.model = kind(transformers.ErnieConfig(**SMALL, **{"num_labels": 2, **(config or {})}))
        several = dataset and isinstance(dataset[0].get("labels"), list) and head == "Sequence"
        options = {
            "output_dir": "out", "num_train_epochs": 2, "per_device_train_batch_size": 4, "learning_rate": 1e-2,
            "per_device_eval_batch_size": 7, "report_to": [], "save_strategy": "no", "disable_tqdm": True,
            "device": "cpu",
        } | arguments  # fmt: skip
        self.trainer = Trainer(
            self.model,
            criterion=paddle.nn.BCEWithLogitsLoss() if several else paddle.nn.CrossEntropyLoss(),
            args=TrainingArguments(**options),
            data_collator=collate or self.collate,
            train_dataset=dataset or ROWS,
            callbacks=[callback] if callback else [],
        )

    @staticmethod
    def collate(rows):
        import paddle

        return {key: paddle.to_tensor([row[key] for row in rows]) for key in ("input_ids", "labels")}

    def logits(self):
        import paddle

        self.model.eval()
        with paddle.no_grad():
            return self.model(paddle.to_tensor(TOKENS)).numpy()

    def weights(self):
        return [value.numpy().copy() for value in self.model.state_dict().values()]


# Their pins contradict each other, so each has an environment of its own (CONTRIBUTING.md).
PYTORCH = find_spec("trl") is not None
FRAMEWORKS: dict = {"transformers": HuggingFace} if PYTORCH else {"paddlenlp": PaddleNLP}


def unit_training(framework, callback, rows, names=None, **options):
    """A training of `SENTENCES` or `DOCUMENTS`; `names`: of the classes, in the model's config."""
    from importlib import import_module

    module, make = {"transformers": ("torch", "tensor"), "paddlenlp": ("paddle", "to_tensor")}[framework]
    tensor = getattr(import_module(module), make)

    def collate(some):
        return {name: tensor(values) for name, values in padded(some).items()}

    config = {"id2label": dict(enumerate(names))} if names else {"num_labels": 3}
    head = "Token" if rows is SENTENCES else "Sequence"
    return FRAMEWORKS[framework](callback, rows, head, config, collate, **options)


def callback_of(framework, *arguments, **options):
    from importlib import import_module

    return import_module(f"datamap.callbacks.{framework}").DataMapCallback(*arguments, **options)


def lightning_training(package, callback, broken=None, output=None, skipped=None, **devices):
    """Train a linear model for two epochs in `lightning.pytorch` or `pytorch_lightning`; returns the logits seen.

    Args:
        broken: the epoch from 0 whose steps raise.
        output: loss → what a step returns.
        skipped: the batch of each epoch whose step returns None.
        devices: arguments of Lightning's Trainer.
    """
    from importlib import import_module

    import torch

    lightning = import_module(package)
    seen = {}

    class Model(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(LENGTH, 2)

        def training_step(self, batch, number):
            ids, tokens, labels = batch
            logits = self.layer(tokens)
            if self.current_epoch == broken:
                raise OSError("step lost")
            seen.update(
                {(self.current_epoch + 1, i): row.tolist() for i, row in zip(ids, logits, strict=True)}
            )
            loss = torch.nn.functional.cross_entropy(logits, labels)
            if number == skipped:
                return None
            if output:
                return output(loss)
            return {"loss": loss, "ids": ids, "labels": labels, "logits": logits}

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), 0.01)

    torch.manual_seed(0)
    rows = [(row["id"], torch.tensor(row["input_ids"]).float(), row["labels"]) for row in ROWS]
    loader = torch.utils.data.DataLoader(rows, batch_size=4, shuffle=True)
    options = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "accelerator": "cpu",
    } | devices
    trainer = lightning.Trainer(
        max_epochs=2,
        callbacks=[callback] if callback else [],
        enable_model_summary=False,
        log_every_n_steps=1,
        **options,
    )
    trainer.fit(Model(), loader)
    return seen
