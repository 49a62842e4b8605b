"""The whole chain against a real `mlflow server` on loopback, each command in its own process."""

import contextlib
import json
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from conftest import ROOT, SMALL_MODEL


@pytest.fixture
def server(empty_store, tmp_path):
    """Address of an MLflow server with its own store; artifacts go through it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path / "server"
    folder.mkdir()
    (folder / "mlflow.db").write_bytes(empty_store.read_bytes())
    command = [
        str(Path(sys.executable).parent / "mlflow"), "server", "--host", "127.0.0.1", "--port", str(port),
        "--workers", "1", "--backend-store-uri", "sqlite:///mlflow.db", "--artifacts-destination", "./artifacts",
    ]  # fmt: skip
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        wait_for(f"http://127.0.0.1:{port}/health", process, folder / "log")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def wait_for(address, process, log):
    for _ in range(240):
        assert process.poll() is None, log.read_text()
        with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=5):
            return
        time.sleep(0.25)
    raise AssertionError(f"{address} did not answer\n{log.read_text()}")


def test_three_steps_against_a_server(server, pairs_file, shell):
    from mlflow import MlflowClient

    def step(script, *arguments):
        done = shell(
            [sys.executable, str(ROOT / "src" / f"{script}.py"), *arguments], MLFLOW_TRACKING_URI=server
        )
        assert done.code == 0, done.err
        return done.out

    out = step("train", "data=file", f"data.path={pairs_file}", *SMALL_MODEL, "data.flip_ratio=0.1")
    run_id = out.split()[1]
    assert f"{server}/#/experiments/1/runs/{run_id}" in out
    assert "36 samples over 3 observations" in step("summarize", f"run_id={run_id}")
    step("plot", "run_id=latest", "criterion=avg_probs", "threshold=0", "svg=true")
    client = MlflowClient(server)
    maps = [file.path for file in client.list_artifacts(run_id, "maps")]
    assert maps == ["maps/data_map-avg_probs_ge_0.png", "maps/data_map-avg_probs_ge_0.svg"]
    assert len(client.list_artifacts(run_id, "images")) == 4  # two steps, each a picture and its thumbnail
    shown = urllib.request.urlopen(f"{server}/get-artifact?path=labels.json&run_uuid={run_id}", timeout=20)
    assert json.load(shown) == {"0": "0", "1": "1"}
    assert not Path("mlruns").exists()
    assert not Path("mlflow.db").exists()
