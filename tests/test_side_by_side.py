"""Folds in processes beside the main training: the same bytes, and nothing is left behind whatever ends them."""

import os
import re
import signal
import time
from pathlib import Path

import pytest

from conftest import SMALL_MODEL, artifacts, local
from datamap.errors import TrainingError
from datamap.training.workers import Worker
from processes import Process

FOLDS = ("data.folds=3", "signals.threshold_samples=true")


def below(pid):
    """Ids of the processes that a process started, but multiprocessing's resource tracker."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += map(int, (task / "children").read_text().split())
    return [worker for worker in found if b"spawn_main" in Path(f"/proc/{worker}/cmdline").read_bytes()]


def gone(pids, seconds=30):
    end = time.monotonic() + seconds
    while any(map(running, pids)) and time.monotonic() < end:
        time.sleep(0.1)
    return not any(map(running, pids))


def running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def test_side_by_side_they_give_the_same_bytes(command, pairs_file, store, client):
    options = ("data=file", f"data.path={pairs_file}", *SMALL_MODEL, *FOLDS)
    one = command("train", *options, "trainer.jobs=1")
    two = command("train", *options, "trainer.jobs=3")
    assert (one.code, two.code) == (0, 0), one.err + two.err
    assert "4 further trainings of 3 epochs each run alongside this one, 3 at a time" in two.out
    assert not below(os.getpid())
    runs = [re.match(r"run (\w+)", outcome.out).group(1) for outcome in (one, two)]
    for folder in ("signals", "holdout", "threshold"):
        paths = artifacts(client, runs[0], folder)
        assert paths and paths == artifacts(client, runs[1], folder)
        for path in paths:
            assert local(client, runs[0], path).read_bytes() == local(client, runs[1], path).read_bytes(), (
                path
            )
    params = [client.get_run(run).data.params for run in runs]
    assert params[0] == params[1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=lambda n: n.name)
def test_whatever_ends_the_training_its_processes_end_too(client, pairs_file, number, tmp_path):
    arguments = ["data=file", f"data.path={pairs_file}", *SMALL_MODEL, *FOLDS, "trainer.epochs=100000"]
    process = Process("train", [*arguments, "trainer.jobs=2"], TMPDIR=str(tmp_path))
    try:
        for line in process.stdout:
            if line.startswith("epoch      3"):
                break
        children = below(process.pid)
        assert len(children) == 1
        if number == signal.SIGINT:
            os.killpg(process.pid, number)  # as a terminal does: to all of them
        else:
            process.send_signal(number)
        rest = process.rest()
    finally:
        process.kill()
    assert gone(children)
    if number != signal.SIGKILL:
        assert process.returncode == 130 and rest.endswith("interrupted\n"), rest
        assert "Traceback" not in rest
        assert not list(tmp_path.glob("datamap-*"))


def test_a_child_that_is_killed_is_one_line_and_resuming_trains_the_rest(
    command, pairs_file, store, client, monkeypatch
):
    def killed(self, *arguments):
        self.process.kill()
        return call(self, *arguments)

    call = Worker.call
    monkeypatch.setattr(Worker, "call", killed)
    options = ("data=file", f"data.path={pairs_file}", *SMALL_MODEL, "data.folds=2", "trainer.jobs=2")
    outcome = command("train", *options)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1), outcome.err
    assert "a worker process was killed" in outcome.err and "trainer.jobs=1" in outcome.err
    run = re.match(r"run (\w+)", outcome.out).group(1)
    assert len(artifacts(client, run, "signals")) == 2 * 3
    monkeypatch.setattr(Worker, "call", call)
    outcome = command("train", "resume=true", f"run_id={run}")
    assert outcome.code == 0, outcome.err
    assert len(artifacts(client, run, "holdout")) == 2 * 2 * 3
    assert client.get_run(run).info.status == "FINISHED"


def test_the_jobs_of_a_multirun_give_the_same_bytes_side_by_side(pairs_file, client):
    options = ("-m", "seed=2,1", "data=file", f"data.path={pairs_file}", *SMALL_MODEL)
    runs = []
    for jobs in (1, 2):
        arguments = [*options, f"trainer.jobs={jobs}", f"tracking.run_name=jobs {jobs}"]
        process = Process("train", arguments)
        printed = process.rest()
        assert process.returncode == 0, printed
        (parent,) = client.search_runs(["1"], f"run_name = 'jobs {jobs}'")
        children = client.search_runs(["1"], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'")
        assert {run.info.status for run in [parent, *children]} == {"FINISHED"}
        runs.append({run.info.run_name: run.info.run_id for run in children})
    assert "2 trainings, 2 at a time (trainer.jobs)" in printed
    for name in ("seed=1", "seed=2"):
        assert re.search(rf"^{name}: epoch 3 of 3  ", printed, re.MULTILINE), printed
        paths = artifacts(client, runs[0][name], "signals")
        assert paths and paths == artifacts(client, runs[1][name], "signals")
        for path in [*paths, "summary.tsv", "maps/data_map.png"]:
            one, two = (local(client, made[name], path).read_bytes() for made in runs)
            assert one == two, path


def test_an_interrupted_multirun_ends_all_its_runs(client, pairs_file, tmp_path):
    arguments = [
        "-m",
        "seed=1,2,3",
        "data=file",
        f"data.path={pairs_file}",
        *SMALL_MODEL,
        "trainer.epochs=100000",
    ]
    process = Process("train", [*arguments, "trainer.jobs=2"], TMPDIR=str(tmp_path))
    begun = set()
    try:
        for line in process.stdout:
            begun |= set(re.findall(r"^(seed=\d): epoch      3", line))
            if len(begun) == 2:
                break
        children = below(process.pid)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of them
        rest = process.rest()
    finally:
        process.kill()
    assert len(children) == 2 and gone(children)
    assert process.returncode == 130 and rest.endswith("interrupted\n") and "Traceback" not in rest, rest
    assert [run.info.status for run in client.search_runs(["1"])] == ["KILLED"] * 3
    assert not list(tmp_path.glob("datamap-*"))


def fails(first, kind):
    if kind == "end":
        os.kill(os.getpid(), signal.SIGKILL)
    raise {"ours": TrainingError("the loss became nan"), "bug": ZeroDivisionError("a bug"), "odd": Odd(1, 2)}[
        kind
    ]


class Odd(Exception):  # noqa: N818
    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


def test_what_a_child_raises_is_raised_here():
    worker = Worker(fails, None)
    try:
        for kind, error, message in (
            ("ours", TrainingError, "the loss became nan"),
            ("bug", ZeroDivisionError, "a bug"),
            ("odd", RuntimeError, "Odd: 1 and 2"),
            ("end", TrainingError, "set trainer.jobs=1 to train one model at a time"),
        ):
            with pytest.raises(error, match=message) as found:
                worker.call(kind)
            trace = str(found.value.__cause__)
            assert ("in fails" in trace) == (kind in ("bug", "odd"))
    finally:
        worker.process.terminate()
        worker.ended()
    assert not running(worker.process.pid)
