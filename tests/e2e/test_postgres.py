"""The store on PostgreSQL behind a real `mlflow server` with proxied artifacts: the whole chain, and two writers."""

import contextlib
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from mlflow import MlflowClient

from conftest import SMALL_MODEL, free_port
from processes import Process
from servers import server_of

USER = "nobody"  # PostgreSQL does not start as root


def postgres_program(name):
    """Path of one of PostgreSQL's programs, where Debian puts them or on the PATH."""
    found = shutil.which(name) or next(iter(sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))), None)
    assert found, f"no {name}: make postgres installs Debian's postgresql"
    return str(found)


@pytest.fixture(scope="module")
def database():
    """Address of an empty database, its server started by an unprivileged user."""
    # Not one of pytest's folders, which are closed to other users.
    with tempfile.TemporaryDirectory() as folder, postgres_in(Path(folder)) as address:
        yield address


@contextlib.contextmanager
def postgres_in(folder):
    as_user = {}
    if os.getuid() == 0:
        entry = pwd.getpwnam(USER)
        os.chown(folder, entry.pw_uid, entry.pw_gid)
        as_user = {"user": USER, "group": entry.pw_gid, "extra_groups": []}
    port, data = free_port(), folder / "data"
    run = {"cwd": folder, "check": True, "stdout": subprocess.DEVNULL, **as_user}
    subprocess.run([postgres_program("initdb"), "-D", data, "-U", "ann", "-A", "trust", "-N"], **run)
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
    control = [postgres_program("pg_ctl"), "-D", data, "-w", "-l", folder / "log"]
    subprocess.run([*control, "-o", options, "start"], **run)
    try:
        yield f"postgresql+psycopg2://ann:s3cret@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], **run)


@pytest.fixture(scope="module")
def server(database, tmp_path_factory):
    with server_of(tmp_path_factory.mktemp("server"), database) as address:
        yield address


@pytest.fixture
def step(server, command, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)

    def run(script, *arguments, code=0):
        done = command(script, *arguments)
        assert done.code == code, done.out + done.err
        return done.out + done.err

    return run


def test_the_chain_on_postgres(step, server, pairs_file):
    client = MlflowClient(server)
    data = ("data=file", f"data.path={pairs_file}", *SMALL_MODEL)
    out = step("main", *data, "data.flip_ratio=0.1")
    first = out.split()[1]
    assert "36 samples over 3 observations" in out
    assert client.get_run(first).info.status == "FINISHED"
    second = killed_in_training(server, client, *data, "seed=2", "trainer.epochs=20")
    committed = len(client.get_metric_history(second, "signals.rows"))
    assert (0 < committed < 20, client.get_run(second).info.status) == (True, "RUNNING")
    assert "resuming after observation" in step("train", "resume=true", f"run_id={second}")
    assert len(client.get_metric_history(second, "signals.rows")) == 20
    step("diagnose", f"run_id={first}")
    step("curate", f"run_id={first}", "keep=relabelled", "share=0.1")
    out = step("compare", f"runs=[{first},{second}]")
    compared = re.search(r"^run (\w+)  ", out, re.MULTILINE).group(1)
    assert client.get_run(compared).info.status == "FINISHED"
    assert [file.path for file in client.list_artifacts(compared, "comparison")]


def start(server, *arguments):
    return Process("train", arguments, log=Path("log").resolve(), MLFLOW_TRACKING_URI=server)


def started(server, client, *arguments):
    """(training process, id of its run) when the run has its first observation."""
    process = start(server, *arguments)
    wait_until(lambda: "\nepoch " in Path("log").read_text(), process)
    run_id = re.search(r"^run (\w+)  \(", Path("log").read_text(), re.MULTILINE).group(1)
    wait_until(lambda: client.get_metric_history(run_id, "signals.rows"), process)
    return process, run_id


def killed_in_training(server, client, *arguments):
    """Id of a run whose training was killed (-9)."""
    process, run_id = started(server, client, *arguments)
    process.kill()
    process.wait()
    return run_id


def wait_until(condition, process):
    for _ in range(1200):
        assert process.poll() is None, Path("log").read_text()
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError(Path("log").read_text())


def test_the_last_of_two_writers_goes_on(server, pairs_file):
    client = MlflowClient(server)
    data = ("data=file", f"data.path={pairs_file}", *SMALL_MODEL, "trainer.epochs=20")
    first, run_id = started(server, client, *data)
    first.send_signal(signal.SIGSTOP)  # or it could end before the second begins
    writer = client.get_run(run_id).data.tags["mlflow.datamap.writer"]
    second = start(server, "resume=true", f"run_id={run_id}")
    wait_until(lambda: client.get_run(run_id).data.tags["mlflow.datamap.writer"] != writer, second)
    first.send_signal(signal.SIGCONT)
    assert (first.wait(120), second.wait(120)) == (2, 0), Path("log").read_text()
    assert f"another process has begun to write into run {run_id}" in Path("log").read_text()
    history = client.get_metric_history(run_id, "signals.rows")
    assert {metric.step for metric in history} == set(range(1, 21))
    assert client.get_run(run_id).info.status == "FINISHED"


def test_without_a_server_the_password_stays_secret(database, command):
    done = command("summarize", "run_id=nowhere", f"tracking.uri={database}")
    assert (done.code, done.err.count("\n")) == (2, 1), done.err
    assert "run 'nowhere' is not in postgresql+psycopg2://ann:***@127.0.0.1" in done.err
    assert "s3cret" not in done.out + done.err
