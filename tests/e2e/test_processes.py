"""More than one process: training under paddle.distributed.launch, summarize on a Dask cluster."""

import contextlib
import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from conftest import SMALL_MODEL, copy_store, run_process, write_pairs
from foreign_files import write_dynamics
from processes import Process, warm_python


@pytest.fixture
def client(store):
    from mlflow import MlflowClient

    return MlflowClient()


def ensure_summary(client, run_id):
    return pd.read_csv(Path(client.get_run(run_id).info.artifact_uri, "summary.tsv"), sep="\t")


# One launch trains everything: it starts Paddle's launcher itself, which imports Paddle; its processes are forked.
TRAININGS = """
import json, sys
from datamap.cli.entry import run
for arguments in json.loads(sys.argv[1]):
    assert run("train", arguments) == 0
"""
UNITS = {
    "tokens": "".join(
        f"张 B-PER\n{'一二三四五'[n % 5]} I-PER\n" + "在 O\n" * (n % 4) + "北 B-LOC\n京 I-LOC\n\n"
        for n in range(23)
    ),
    "multilabel": "text_a\tlabel\n"
    + "".join(f"又贵又慢{n}\t{('价格|物流', '价格', '')[n % 3]}\n" for n in range(23)),
}


def trainings_of(folder):
    """{training: its arguments}: pairs observed in both ways, and each task of units; their files in the folder."""
    pairs = write_pairs(folder)
    with pairs.open("a", encoding="utf-8") as file:
        file.write("第三十七行\t一个人\t0\n")  # an odd number, and a last batch of one sample
    common = ["data=file", *SMALL_MODEL, "data.folds=2", "trainer.device=cpu"]
    options = [*common, f"data.path={pairs}", "trainer.batch_size=12", "signals.shard_rows=10"]
    found = {"epoch": [*options, "plot.live=true"], "train": [*options, "signals.collect=train"]}
    for task, content in UNITS.items():
        path = folder / ("x.conll" if task == "tokens" else "x.tsv")
        path.write_text(content, encoding="utf-8")
        # The last batch has one sample, so that one of the processes has none in it.
        found[task] = [*common, f"data.task={task}", f"data.path={path}", f"data.dev_path={path}"]
        found[task] += ["trainer.batch_size=11", "signals.shard_rows=30"]
    return found


@pytest.fixture(scope="module")
def launched(tmp_path_factory, empty_store):
    """(folder, {training: id of its run}) of all trainings, made by two processes in that folder's store."""
    folder = tmp_path_factory.mktemp("launched")
    shutil.copy(empty_store, folder / "mlflow.db")
    (folder / "trainings.py").write_text(TRAININGS)
    trainings = trainings_of(folder)
    launch = [sys.executable, "-m", "paddle.distributed.launch", "--nproc_per_node", "2", "--log_dir", "log"]
    arguments = ["trainings.py", json.dumps(list(trainings.values()))]
    with warm_python() as (program, environment):
        done = run_process([*launch, str(program), *arguments], folder, **environment)
    logs = "".join(path.read_text() for path in folder.glob("log/workerlog.*"))
    assert done.code == 0, done.out + done.err + logs
    runs = re.findall(r"^run (\w+)", done.out, re.MULTILINE)
    return folder, dict(zip(trainings, runs, strict=True))


@pytest.fixture
def both(launched, client, command, tmp_path):
    """Ids of the runs of a training by one process and by two: both("tokens") → [id, id], both summarized."""
    folder, runs = launched
    copy_store(folder, Path.cwd())

    def trained(name):
        made = command("train", *trainings_of(tmp_path)[name])
        assert made.code == 0, made.err
        found = [re.search(r"^run (\w+)", made.out, re.MULTILINE)[1], runs[name]]
        for run_id in found:
            for step in ("summarize", "diagnose"):  # which misses no held-out sample
                outcome = command(step, f"run_id={run_id}")
                assert outcome.code == 0, outcome.err
        return found

    return trained


@pytest.mark.parametrize("collect", ["epoch", "train"])
def test_two_processes_make_one_run(client, both, collect):
    before = {run.info.run_id for run in client.search_runs(["1"])}
    alone, together = both(collect)
    assert {run.info.run_id for run in client.search_runs(["1"])} == before | {alone}
    assert len(before) == 4
    files = [Path(file.path).name for file in client.list_artifacts(together, "signals")]
    assert [f for f in files if f.startswith("epoch_0003")] == [
        *(f"epoch_0003-0000{i}-of-00004.jsonl" for i in range(4)),
        "epoch_0003.sha256",
    ]
    one, two = (ensure_summary(client, run_id) for run_id in (alone, together))
    assert one.columns.tolist() == two.columns.tolist()
    assert one["id"].tolist() == two["id"].tolist() == list(range(37))
    assert abs(one["avg_probs"] - two["avg_probs"]).max() < (0.05 if collect == "train" else 1e-4)
    for run_id in (alone, together):
        assert client.get_run(run_id).data.metrics["signals.rows"] == 37
        drawn = [Path(file.path).name for file in client.list_artifacts(run_id, "images")]
        assert any(name.startswith("maps~while_training+step+3") for name in drawn) == (collect == "epoch")
    held_out = [client.get_metric_history(run_id, "holdout.rows") for run_id in (alone, together)]
    assert [[m.value for m in history] for history in held_out] == [[19, 18], [19, 18]]
    accuracy = [client.get_run(run_id).data.metrics["train/accuracy"] for run_id in (alone, together)]
    assert accuracy[0] == pytest.approx(accuracy[1], abs=0.1 if collect == "train" else 1e-6)


@pytest.mark.parametrize("task", UNITS)
def test_two_processes_train_on_units(client, both, task):
    found = both(task)
    pd.testing.assert_frame_equal(*(ensure_summary(client, run_id) for run_id in found), rtol=1e-3, atol=1e-5)
    one, two = (client.get_run(run_id).data.metrics for run_id in found)
    assert two == pytest.approx(one | {k: v for k, v in two.items() if k.startswith("time/")}, rel=1e-3)


@pytest.fixture
def cluster(tmp_path, python):
    """Address of a Dask scheduler with two workers, each a process."""
    address, dask = "tcp://127.0.0.1:18786", str(Path(sys.executable).parent / "dask")
    commands = [
        ["scheduler", "--host", "127.0.0.1", "--port", "18786", "--no-dashboard"],
        *[["worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard"] for _ in range(2)],
    ]
    with (tmp_path / "log").open("w") as log, contextlib.ExitStack() as stack:
        for command in commands:
            process = subprocess.Popen(["python", dask, *command], cwd=tmp_path, stdout=log, stderr=log)
            stack.callback(process.wait, 30)
            stack.callback(process.terminate)
        wait_for_workers(tmp_path / "log")
        yield address


def wait_for_workers(log, count=2):
    for _ in range(240):
        if log.read_text().count("Starting established connection") >= 2 * count:
            return
        time.sleep(0.25)
    raise AssertionError(log.read_text())


def test_dask_gives_the_same_bits(small_run, client, command, cluster):
    path = Path(client.get_run(small_run).info.artifact_uri, "summary.tsv")
    assert command("summarize", f"run_id={small_run}").code == 0
    before = path.read_bytes()
    path.unlink()
    arguments = (f"run_id={small_run}", "engine=dask", f"engine.address={cluster}")
    done = command("summarize", *arguments)
    assert done.code == 0, done.err
    assert path.read_bytes() == before
    damaged = Path(client.get_run(small_run).info.artifact_uri, "signals/epoch_0002-00000-of-00001.jsonl")
    damaged.write_bytes(damaged.read_bytes()[:-1])
    done = command("summarize", *arguments)
    assert (done.code, "epoch_0002-00000-of-00001.jsonl is damaged" in done.err) == (2, True), done.err
    assert path.read_bytes() == before


def test_no_scheduler_is_said_so(small_run, command):
    outcome = command("summarize", f"run_id={small_run}", "engine=dask", "engine.address=tcp://127.0.0.1:9")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1), outcome.err
    assert "engine.address=tcp://127.0.0.1:9: no Dask scheduler answers" in outcome.err


def test_two_first_commands_at_once_share_a_new_store(tmp_path):
    files = write_dynamics(tmp_path / "dynamics")
    both = [Process("import", [f"path={files}"]) for _ in range(2)]
    outputs = [process.rest() for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
