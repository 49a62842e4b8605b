"""Ctrl-C and SIGTERM while a real process trains, and while it imports Paddle."""

import signal
import sys
import time

from conftest import ROOT, SMALL_MODEL
from processes import Process


def test_a_training_that_is_told_to_stop_ends_killed(client, pairs_file):
    """By SIGTERM; Ctrl-C is what tests/test_side_by_side.py sends."""
    arguments = ["data=file", f"data.path={pairs_file}", *SMALL_MODEL, "trainer.epochs=10000"]
    process = Process("train", arguments)
    try:
        for line in process.stdout:
            if line.startswith("epoch     3"):
                break
        process.send_signal(signal.SIGTERM)
        rest = process.rest()
    finally:
        process.kill()
    assert process.returncode == 130, rest
    assert "observations saved: python src/summarize.py run_id=" in rest
    assert "to resume the run: python src/train.py run_id=" in rest and "resume=true" in rest
    assert rest.endswith("interrupted\n") and "Traceback" not in rest
    (run,) = client.search_runs(["1"])
    assert run.info.status == "KILLED"
    assert len(client.get_metric_history(run.info.run_id, "signals.rows")) >= 3


# Another thread than the main one may take the signal: the handler must be ours all the time.
IMPORT = """
import logging, os, signal, sys, threading, time
numbers = [signal.SIGTERM, signal.SIGINT]
signal.signal(signal.SIGTERM, signal.default_int_handler)
def knock():
    signal.pthread_sigmask(signal.SIG_BLOCK, numbers)  # the signals are for the main thread, as from another process
    while "paddle" not in sys.modules:
        time.sleep(0.001)
    for knocks in range(50):
        time.sleep(0.02)
        os.kill(os.getpid(), numbers[knocks % 2])
threading.Thread(target=knock, daemon=True).start()
try:
    import datamap.paddle_backend.framework
except KeyboardInterrupt:
    print("interrupted", "paddlenlp.transformers" in sys.modules)
print(signal.getsignal(signal.SIGTERM) is signal.default_int_handler)
print(logging.root.handlers, logging.root.level == logging.WARNING)
"""


def test_importing_paddle_is_not_cut_short_and_takes_neither_signals_nor_logging(shell):
    start = time.monotonic()
    environment = {"PYTHONPATH": str(ROOT / "src")}
    outcome = shell([sys.executable, "-c", IMPORT], **environment)
    assert (outcome.code, outcome.out) == (0, "interrupted True\nTrue\n[] True\n"), outcome.err
    assert time.monotonic() - start < 120


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
