"""The callback in Lightning's Trainer: signals equal the logits that the step returned."""

import sys

import numpy as np
import pytest

from conftest import ROOT
from datamap.errors import SignalError
from trainers import ROWS, N, callback_of, check, lightning_training, records, status
from trainers import pytestmark as pytestmark


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


@pytest.mark.filterwarnings("ignore:.*`training_step` returned `None`")
def test_lightning_may_skip_batches(store):
    callback = callback_of("lightning")
    lightning_training("lightning.pytorch", callback, skipped=1)
    assert (status(callback.recorder.run_id), callback.recorder.run.committed()) == (
        "FINISHED",
        {1: N - 4, 2: N - 4},
    )


@pytest.mark.parametrize(
    "output", [lambda loss: loss, lambda loss: {"loss": loss, "ids": [1], "logits": loss}]
)
def test_lightning_says_what_a_step_must_return(store, output):
    callback = callback_of("lightning", logits="scores")
    with pytest.raises(SignalError, match="let it return {'loss': …, 'ids': …, 'labels': …, 'scores': …}"):
        lightning_training("lightning.pytorch", callback, output=output)
    assert status(callback.recorder.run_id) == "FAILED"


BASES = """
import importlib, sys
from datamap.callbacks import lightning as ours

def base(*imported, absent=()):
    for name in [name for name in sys.modules if name.partition(".")[0] in ("lightning", "pytorch_lightning")]:
        del sys.modules[name]
    sys.modules.update(dict.fromkeys(absent))
    for name in imported:
        importlib.import_module(name)
    return importlib.reload(ours).DataMapCallback.__mro__[1].__module__

print(base("pytorch_lightning"), base(absent=["lightning"]), base("lightning.pytorch"), base())
"""


def test_lightning_without_its_own_package(shell, tmp_path):
    """Where only `pytorch_lightning` is installed, or the user works with it, its `Callback` is the base.

    Empty packages of these names stand for the real ones, which take ten seconds to import.
    """
    for package in ("lightning", "lightning/pytorch", "pytorch_lightning"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text("class Callback: pass\n")
    outcome = shell([sys.executable, "-c", BASES], PYTHONPATH=f"{tmp_path}:{ROOT / 'src'}")
    user = "pytorch_lightning pytorch_lightning lightning.pytorch lightning.pytorch\n"
    assert outcome.out == user, outcome.err
