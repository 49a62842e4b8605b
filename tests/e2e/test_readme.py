"""Every command of the README runs as written, in order, in a copy of the repository."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from test_docs import blocks


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def serve(command, project, environment):
    """Run a command that does not end by itself until its page answers; then stop it."""
    port = free_port()
    process = subprocess.Popen(
        command, shell=True, cwd=project, env={**environment, "PORT": str(port)}, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for _ in range(240):
            try:
                return urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).read().decode()
            except OSError:
                time.sleep(0.25)
        raise AssertionError(f"{command} did not answer")
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def borrow_environment(folder):
    """This process's environment as `.venv`, marked as installed, so that `make demo` leaves it as it is."""
    folder.mkdir()
    for part in Path(sys.prefix).iterdir():
        (folder / part.name).symlink_to(part)
    for name in (".installed", ".installed-test"):
        (folder / name).unlink(missing_ok=True)
        (folder / name).touch()


@pytest.mark.timeout(2400)
def test_commands_of_the_readme(project):
    borrow_environment(project / ".venv")
    environment = {**os.environ, "GIT_PYTHON_REFRESH": "quiet"}
    activated = ""
    for info, commands in blocks("README.md"):
        if info != "sh":
            continue
        if commands == "make ui\n":
            assert "<title>MLflow</title>" in serve(commands, project, environment)
            continue
        done = subprocess.run(
            ["bash", "-e", "-c", activated + commands], cwd=project, env=environment, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{commands}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        if "source .venv/bin/activate" in commands:
            activated = "source .venv/bin/activate\n"
    check_what_the_demo_made(project)


def check_what_the_demo_made(project):
    """The first run is `make demo`'s: dirty samples apart, three maps."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{project}/mlflow.db")
    experiment = client.get_experiment_by_name("datamap")
    demo = client.search_runs([experiment.experiment_id], order_by=["attributes.start_time ASC"])[0]
    assert demo.data.metrics["summary/auroc_dirty"] >= 0.9
    maps = [file.path for file in client.list_artifacts(demo.info.run_id, "maps")]
    assert maps == [
        "maps/data_map.png",
        "maps/dirty_map.png",
        "maps/explorer.html",
        "maps/forgetting_map.png",
    ]
