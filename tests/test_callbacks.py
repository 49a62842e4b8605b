"""The callbacks in real trainers on tiny models: signals equal the logits computed by hand."""

import json
import sys
from pathlib import Path

import mlflow
import numpy as np
import pytest
from mlflow import MlflowClient

from conftest import ROOT
from datamap.errors import ConfigError, SignalError

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*pin_memory.*:UserWarning"),  # of torch, without a GPU
    pytest.mark.filterwarnings("ignore:.*does not have many workers.*"),  # of lightning
    pytest.mark.filterwarnings("ignore:.*LeafSpec.* is deprecated:FutureWarning"),
]
N, LENGTH = 20, 6
TOKENS = np.random.default_rng(0).integers(1, 50, (N, LENGTH))
LABELS = (TOKENS[:, 0] > 25).astype(int)
ROWS = [{"id": f"s{n}", "input_ids": TOKENS[n].tolist(), "labels": int(LABELS[n])} for n in range(N)]
SMALL = {
    "vocab_size": 50, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8,
    "max_position_embeddings": 16,
}  # fmt: skip


def records(run_id, epoch):
    folder = Path(MlflowClient().get_run(run_id).info.artifact_uri)
    text = (folder / f"signals/epoch_{epoch:04d}-00000-of-00001.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def check(records, ids, logits):
    """The records are of these samples, in this order, and say what the logits say."""
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert [record["id"] for record in records] == list(ids)
    assert [record["label"] for record in records] == LABELS.tolist()
    np.testing.assert_allclose([record["probs"] for record in records], probs, atol=1e-5)


def status(run_id):
    return MlflowClient().get_run(run_id).info.status


def broken(*_):
    """A hook of PyTorch or Paddle before the forward pass."""
    raise OSError("model lost")


# ---------------------------------------------------------------- Hugging Face


class HuggingFace:
    """A tiny BERT in Transformers' Trainer, with dropout."""

    def __init__(self, callback=None, dataset=None, **arguments):
        import torch
        import transformers

        torch.manual_seed(0)
        self.model = transformers.BertForSequenceClassification(transformers.BertConfig(**SMALL))
        options = {
            "output_dir": "out", "num_train_epochs": 2, "per_device_train_batch_size": 4, "learning_rate": 1e-2,
            "per_device_eval_batch_size": 7, "report_to": "none", "save_strategy": "no", "disable_tqdm": True,
        } | arguments  # fmt: skip
        self.trainer = transformers.Trainer(
            self.model,
            transformers.TrainingArguments(**options),
            data_collator=transformers.default_data_collator,
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
    """A tiny ERNIE in PaddleNLP's Trainer, with dropout."""

    def __init__(self, callback=None, dataset=None, **arguments):
        import paddle
        from paddlenlp.trainer import Trainer, TrainingArguments
        from paddlenlp.transformers import ErnieConfig, ErnieForSequenceClassification

        paddle.seed(0)
        self.model = ErnieForSequenceClassification(ErnieConfig(**SMALL, num_labels=2))
        options = {
            "output_dir": "out", "num_train_epochs": 2, "per_device_train_batch_size": 4, "learning_rate": 1e-2,
            "per_device_eval_batch_size": 7, "report_to": [], "save_strategy": "no", "disable_tqdm": True,
            "device": "cpu",
        } | arguments  # fmt: skip
        self.trainer = Trainer(
            self.model,
            criterion=paddle.nn.CrossEntropyLoss(),
            args=TrainingArguments(**options),
            data_collator=self.collate,
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


FRAMEWORKS = {"transformers": HuggingFace, "paddlenlp": PaddleNLP}


@pytest.fixture(params=FRAMEWORKS)
def framework(request, store):
    return request.param


def callback_of(framework, *arguments, **options):
    from importlib import import_module

    return import_module(f"datamap.callbacks.{framework}").DataMapCallback(*arguments, **options)


def test_trainers_record_every_sample_after_each_epoch(framework, command):
    callback = callback_of(framework, class_names=["low", "high"])
    training = FRAMEWORKS[framework](callback)
    training.trainer.train()
    run_id = callback.recorder.run_id
    assert (status(run_id), list(callback.recorder.run.committed().items())) == ("FINISHED", [(1, N), (2, N)])
    check(records(run_id, 2), [row["id"] for row in ROWS], training.logits())
    assert records(run_id, 1) != records(run_id, 2)
    outcome = command("summarize", f"run_id={run_id}")
    assert f"{N} samples over 2 observations" in outcome.out, outcome.err


def test_training_goes_on_as_without_the_callback(framework):
    weights = []
    for callback in (None, callback_of(framework)):
        training = FRAMEWORKS[framework](callback)
        training.trainer.train()
        weights.append(training.weights())
    assert all(np.array_equal(a, b) for a, b in zip(*weights, strict=True))


def test_every_part_of_a_model_gets_its_mode_back(framework):
    from datamap.callbacks.trainer import evaluation_mode

    callback = callback_of(framework)
    model = FRAMEWORKS[framework]().model
    model.train()
    parts = list(callback.modules(model))
    parts[-1].eval()  # frozen by the user
    with pytest.raises(OSError, match="x"), evaluation_mode(callback.modules(model)):
        assert not any(part.training for part in parts)
        raise OSError("x")
    assert [part.training for part in parts] == [True] * (len(parts) - 1) + [False]


def test_a_training_that_raises_in_with_fails_at_once(framework):
    with pytest.raises(OSError, match="model lost"), callback_of(framework) as callback:
        training = FRAMEWORKS[framework](callback)
        on_epoch_end = callback.on_epoch_end

        def breaking(*arguments, **options):
            on_epoch_end(*arguments, **options)
            training.model.register_forward_pre_hook(broken)

        callback.on_epoch_end = breaking
        training.trainer.train()
    assert status(callback.recorder.run_id) == "FAILED"
    assert callback.recorder.run.committed() == {1: N}


def test_a_training_after_one_that_raised_ends_its_run(framework):
    callback = callback_of(framework)
    training = FRAMEWORKS[framework](callback)
    hook = training.model.register_forward_pre_hook(broken)
    with pytest.raises(OSError, match="model lost"):
        training.trainer.train()
    first = callback.recorder.run_id
    assert status(first) == "RUNNING"
    hook.remove()
    training.trainer.train()
    assert (status(first), status(callback.recorder.run_id)) == ("FAILED", "FINISHED")


def test_ids_given_and_row_numbers(framework):
    rows = [{key: value for key, value in row.items() if key != "id"} for row in ROWS]
    for given, expected in ((None, range(N)), (range(100, 100 + N), range(100, 100 + N))):
        callback = callback_of(framework, given)
        FRAMEWORKS[framework](callback, rows, num_train_epochs=1).trainer.train()
        assert [record["id"] for record in records(callback.recorder.run_id, 1)] == list(expected)
    with (
        callback_of(framework, [1, 2]) as callback,
        pytest.raises(ConfigError, match="ids= has 2 ids, but the"),
    ):
        FRAMEWORKS[framework](callback, rows, num_train_epochs=1).trainer.train()


def test_several_processes_are_refused(framework):
    training = FRAMEWORKS[framework]()

    class Arguments:
        world_size = 2

    with pytest.raises(ConfigError, match="records in one process, but 2 train together: use one"):
        callback_of(framework).on_train_begin(Arguments, training.trainer.state, training.trainer.control)
    assert not MlflowClient().search_runs(["0"])


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


def test_ids_and_outputs_that_cannot_be_used():
    from datamap.callbacks.trainer import labels_and_logits, sample_ids

    with pytest.raises(ConfigError, match="generator has no length: DataMapCallback needs"):
        sample_ids(row for row in ROWS)

    class Model:
        def forward(self, x, labels):
            return {"loss": 1} if x else (1, "logits", labels)

        __call__ = forward

    with pytest.raises(SignalError, match="batch of the training dataset has no 'labels' .it has: x, y"):
        labels_and_logits(Model(), {"x": 1, "y": 2})
    with pytest.raises(SignalError, match="output has no 'logits' .it has: loss"):
        labels_and_logits(Model(), {"x": 1, "labels": 2})
    assert labels_and_logits(Model(), {"x": 0, "labels": 2}) == (2, "logits")


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_a_process_that_dies_in_training_leaves_a_failed_run(store, shell, name):
    code = (
        "import test_callbacks as t\n"
        f"training = t.FRAMEWORKS[{name!r}](t.callback_of({name!r}))\n"
        "training.model.register_forward_pre_hook(t.broken)\n"
        "training.trainer.train()\n"
    )
    outcome = shell([sys.executable, "-c", code], PYTHONPATH=f"{ROOT / 'src'}:{ROOT / 'tests'}")
    assert "model lost" in outcome.err
    (run,) = MlflowClient().search_runs(["1"])
    assert run.info.status == "FAILED"


# ---------------------------------------------------------------- Lightning


def lightning_training(package, callback, broken=None, output=None):
    """Train a linear model for two epochs in `lightning.pytorch` or `pytorch_lightning`; returns the logits seen."""
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
    }
    trainer = lightning.Trainer(
        max_epochs=2,
        callbacks=[callback] if callback else [],
        enable_model_summary=False,
        log_every_n_steps=1,
        **options,
    )
    trainer.fit(Model(), loader)
    return seen


@pytest.mark.parametrize("package", ["lightning.pytorch", "pytorch_lightning"])
def test_lightning_records_what_the_step_returns(store, command, package):
    pytest.importorskip(package)  # imported before the callback, as users do
    callback = callback_of("lightning")
    seen = lightning_training(package, callback)
    run_id = callback.recorder.run_id
    assert status(run_id) == "FINISHED"
    for epoch in (1, 2):
        found = sorted(records(run_id, epoch), key=lambda record: int(record["id"][1:]))
        check(found, [row["id"] for row in ROWS], np.array([seen[epoch, row["id"]] for row in ROWS]))
    assert command("summarize", f"run_id={run_id}").code == 0


def test_lightning_training_that_raises_fails_the_run(store):
    callback = callback_of("lightning")
    with pytest.raises(OSError, match="step lost"):
        lightning_training("lightning.pytorch", callback, broken=1)
    assert (status(callback.recorder.run_id), callback.recorder.run.committed()) == ("FAILED", {1: N})


@pytest.mark.parametrize(
    "output", [lambda loss: loss, lambda loss: {"loss": loss, "ids": [1], "logits": loss}]
)
def test_lightning_says_what_a_step_must_return(store, output):
    callback = callback_of("lightning", logits="scores")
    with pytest.raises(SignalError, match="let it return {'loss': …, 'ids': …, 'labels': …, 'scores': …}"):
        lightning_training("lightning.pytorch", callback, output=output)
    assert status(callback.recorder.run_id) == "FAILED"


def test_lightning_without_its_own_package(shell):
    """Where only `pytorch_lightning` is installed, or the user works with it, its `Callback` is the base."""
    code = (
        "import sys\n{}\nfrom datamap.callbacks.lightning import DataMapCallback\n"
        "print(DataMapCallback.__mro__[1].__module__.split('.')[0])"
    )
    for first, base in (
        ("import pytorch_lightning", "pytorch_lightning"),
        ("sys.modules['lightning'] = None", "pytorch_lightning"),
        ("import lightning", "lightning"),
        ("", "lightning"),
    ):
        outcome = shell([sys.executable, "-c", code.format(first)], PYTHONPATH=str(ROOT / "src"))
        assert outcome.out.strip() == base, outcome.err
