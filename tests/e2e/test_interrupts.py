"""One interrupt of each command, of the many that `benchmarks/interrupts.py` tries."""

import sys

import numpy as np
import pytest

from conftest import ROOT

COMMANDS = ["summarize", "plot", "diagnose", "curate", "compare", "import", "upload"]


@pytest.fixture(scope="module")
def interrupts(tmp_path_factory):
    sys.path.insert(0, str(ROOT / "benchmarks"))
    import interrupts

    interrupts.lab = interrupts.Lab(tmp_path_factory.mktemp("lab"))
    yield interrupts
    sys.path.remove(str(ROOT / "benchmarks"))


@pytest.mark.parametrize("command", COMMANDS)
def test_an_interrupted_command_leaves_nothing_half_done(interrupts, command):
    assert list(interrupts.lab.commands()) == COMMANDS
    generator = np.random.default_rng(COMMANDS.index(command))
    completed, running, half, _ = interrupts.trial(interrupts.lab, command, generator)
    assert (completed, running, half) == (True, 0, 0)


def test_an_interrupted_multirun_ends_its_parent(client, command, monkeypatch):
    """Ctrl-C while the second job trains."""
    trained = []

    def train(config, overrides):
        if trained:
            raise KeyboardInterrupt
        from datamap.tracking.store import Store

        with Store().new_run("child", config.tracking.tags) as run:
            trained.append(run)
        return run

    monkeypatch.setattr("datamap.cli.multirun.train", train)
    monkeypatch.setattr("datamap.cli.multirun.plot", lambda config: None)
    outcome = command("train", "-m", "seed=1,2", "trainer.jobs=1")
    assert (outcome.code, outcome.err) == (130, "interrupted\n")
    runs = [(run.info.status, "mlflow.parentRunId" in run.data.tags) for run in client.search_runs(["1"])]
    assert sorted(runs) == [("FINISHED", True), ("KILLED", False)]
