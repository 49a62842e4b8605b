"""`datamap.autolog()` in the trainers of PyTorch's world."""

import sys

import numpy as np
import pytest

import datamap
import trainers
from conftest import ROOT
from trainers import (
    LABELS,
    ROWS,
    HuggingFace,
    N,
    callback_of,
    lightning_training,
    records,
    runs,
)
from trainers import autolog_undone as autolog_undone

pytestmark = [*trainers.pytestmark, pytest.mark.usefixtures("autolog_undone")]


@pytest.mark.parametrize("package", ["lightning.pytorch", "pytorch_lightning"])
def test_lightning_records_too(package):
    datamap.autolog()
    lightning_training(package, None)
    ((run_id, status),) = runs()
    assert status == "FINISHED"
    assert {record["id"] for record in records(run_id, 2)} == {row["id"] for row in ROWS}
    datamap.autolog(disable=True)
    lightning_training(package, None)
    assert len(runs()) == 1


def test_a_callback_that_was_given_stays_the_only_one():
    datamap.autolog()
    callback = callback_of("transformers", class_names=["low", "high"])
    HuggingFace(callback, num_train_epochs=1).trainer.train()
    assert [run_id for run_id, _ in runs()] == [callback.recorder.run_id]


def test_what_cannot_be_recorded_is_a_warning_and_training_goes_on():
    datamap.autolog(class_names=["low", "middle", "high"])
    training = HuggingFace()
    before = training.weights()
    with pytest.warns(UserWarning, match=r"datamap.autolog: this training is not recorded: .*2 classes"):
        assert training.trainer.train().global_step == 2 * N / 4
    assert any((a != b).any() for a, b in zip(before, training.weights(), strict=True))
    assert runs() == []  # known before training


def test_lightning_says_what_a_step_must_return_and_goes_on():
    datamap.autolog()
    with pytest.warns(UserWarning, match="not recorded: training_step returned .*; let it return"):
        seen = lightning_training("lightning.pytorch", None, output=lambda loss: loss)
    assert len(seen) == 2 * N


def test_the_ids_of_the_samples():
    datamap.autolog(ids=np.arange(100, 100 + N))
    rows = [{key: value for key, value in row.items() if key != "id"} for row in ROWS]
    HuggingFace(None, rows, num_train_epochs=1).trainer.train()
    found = records(runs()[0][0], 1)
    assert [(record["id"], record["label"]) for record in found] == list(
        zip(range(100, 120), LABELS, strict=True)
    )


def test_nothing_is_imported_for_it_and_what_is_imported_later_records(shell):
    code = (
        "import sys, datamap\ndatamap.autolog()\n"
        "print([m for m in ('torch', 'transformers', 'paddle', 'lightning', 'mlflow') if m in sys.modules])\n"
        "from lightning.pytorch import Trainer\n"
        "trainer = Trainer(logger=False, enable_checkpointing=False, accelerator='cpu', barebones=True)\n"
        "print([type(c).__module__ for c in trainer.callbacks])\n"
    )
    done = shell([sys.executable, "-c", code], PYTHONPATH=str(ROOT / "src"))
    assert done.code == 0, done.err
    assert done.out.splitlines()[:1] + done.out.splitlines()[-1:] == ["[]", "['datamap.callbacks.lightning']"]


@pytest.mark.parametrize("event", ["on_train_begin", "on_epoch_end", "on_train_end"])
def test_no_error_in_recording_ends_a_training(monkeypatch, event):
    """Not only errors of ours: a bug, a full disk, a version that nobody tried."""
    from datamap.callbacks.transformers import DataMapCallback

    def fails(*arguments, **options):
        raise KeyError("a bug")

    monkeypatch.setattr(DataMapCallback, event, fails)
    datamap.autolog()
    training = HuggingFace(num_train_epochs=1)
    with pytest.warns(UserWarning, match="this training is not recorded: 'a bug'"):
        assert training.trainer.train().global_step == N / 4


def test_a_callback_that_cannot_be_made_is_a_warning(monkeypatch):
    from datamap.callbacks.transformers import DataMapCallback

    monkeypatch.setattr(DataMapCallback, "__init__", None)
    datamap.autolog()
    with pytest.warns(UserWarning, match="this training is not recorded"):
        training = HuggingFace(num_train_epochs=1)
    assert training.trainer.train().global_step == N / 4
