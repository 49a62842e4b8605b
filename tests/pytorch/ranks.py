"""Processes that train together, with what `torchrun` gives each; a warm process forks them.

Each would import PyTorch and its trainers for ten seconds. The pages' script runs under `torchrun` itself, whose
processes are forked likewise (the fixture `python`).
"""

import os
import runpy
import sys
import tempfile
import time
from pathlib import Path

import pytest
from mlflow import MlflowClient

from conftest import Outcome, free_port
from warm import FORKS

FORKS.set_forkserver_preload(
    [
        "datamap.callbacks.lightning",
        "datamap.callbacks.transformers",
        "datasets",
        "lightning.pytorch",
        "mlflow.tracking",
        "transformers.models.bert.modeling_bert",
        "transformers.models.llama.modeling_llama",
        "trl.trainer.sft_trainer",
    ]
)


@pytest.fixture
def together(store, tmp_path):
    """Run a script in several processes: together(2, text, *arguments) → (Outcome, id of its newest run)."""

    def run(count, text, *arguments):
        file = tmp_path / "script.py"
        file.write_text(text, encoding="utf-8")
        done = run_ranks(count, file, arguments)
        found = MlflowClient().search_runs(["1"], order_by=["attributes.start_time DESC"])
        return done, found[0].info.run_id if found else None

    return run


def run_ranks(count, file, arguments, timeout=300):
    """Run a script in processes of these ranks; where one fails, the others are ended, as `torchrun` does."""
    common = {
        "WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count), "GROUP_RANK": "0", "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port()), "TORCHELASTIC_RUN_ID": "none", "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        logs = [Path(folder, name) for name in ("out", "err")]
        started = []
        for rank in range(count):
            there = {**os.environ, **common, "RANK": str(rank), "LOCAL_RANK": str(rank)}
            given = (str(Path.cwd()), there, logs, [str(file), *arguments])
            started.append(FORKS.Process(target=_run, args=given))
            started[-1].start()
        end = time.monotonic() + timeout
        while any(one.is_alive() for one in started) and not any(one.exitcode for one in started):
            assert time.monotonic() < end, "it goes on"
            time.sleep(0.05)
        for one in started:
            one.terminate()
            one.join(30)
        code = next((one.exitcode for one in started if one.exitcode), 0)
        return Outcome(code, *(log.read_text(encoding="utf-8") for log in logs))


def _run(folder, environment, logs, arguments):
    import torch

    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number, log in enumerate(logs, start=1):
        os.dup2(os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT), number)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", 1, encoding="utf-8") for number in (1, 2))
    torch.set_num_threads(1)
    sys.argv = arguments
    runpy.run_path(arguments[0], run_name="__main__")
