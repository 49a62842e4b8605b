"""The whole chain against a real `mlflow server` on loopback."""

import json
import shutil
import urllib.request
from pathlib import Path

import pytest

from conftest import SMALL_MODEL
from processes import Process
from servers import mlflow_server, server_of


@pytest.fixture
def server(empty_store, tmp_path):
    with mlflow_server(tmp_path / "server", empty_store) as address:
        yield address


def test_three_steps_against_a_server(server, pairs_file, command, monkeypatch):
    from mlflow import MlflowClient

    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)

    def step(script, *arguments):
        done = command(script, *arguments)
        assert done.code == 0, done.err
        return done.out

    out = step("train", "data=file", f"data.path={pairs_file}", *SMALL_MODEL, "data.flip_ratio=0.1")
    run_id = out.split()[1]
    assert f"{server}/#/experiments/1/runs/{run_id}" in out
    assert "36 samples over 3 observations" in step("summarize", f"run_id={run_id}")
    step("plot", "run_id=latest", "criterion=avg_probs", "threshold=0", "svg=true")
    client = MlflowClient(server)
    maps = [file.path for file in client.list_artifacts(run_id, "maps")]
    assert maps == [
        "maps/data_map-avg_probs_ge_0.png",
        "maps/data_map-avg_probs_ge_0.svg",
        "maps/explorer.html",
    ]
    assert len(client.list_artifacts(run_id, "images")) == 2  # a picture and its thumbnail
    shown = urllib.request.urlopen(f"{server}/get-artifact?path=labels.json&run_uuid={run_id}", timeout=20)
    assert json.load(shown) == {"0": "0", "1": "1"}
    step("diagnose", f"run_id={run_id}")
    out = step("curate", f"run_id={run_id}", "keep=relabelled", "share=0.1")
    assert f"data.path=runs:/{client.search_runs(['1'])[0].info.run_id}/curated.tsv" in out
    step("train", "data=file", "data.path=runs:/latest/curated.tsv", *SMALL_MODEL)
    assert not Path("mlruns").exists()
    assert not Path("mlflow.db").exists()


def test_a_server_with_a_certificate_of_a_private_authority(empty_store, tmp_path, shell):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = shell([
        "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=127.0.0.1",
        "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate),
    ])  # fmt: skip
    assert made.code == 0, made.err
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    options = ("--uvicorn-opts", f"--ssl-keyfile {key} --ssl-certfile {certificate}")
    with server_of(tmp_path, "sqlite:///mlflow.db", *options, certificate=certificate) as address:
        for trust, answer in {
            (): f"{address}: the server's certificate is not trusted; set MLFLOW_TRACKING_SERVER_CERT_PATH",
            ("MLFLOW_TRACKING_SERVER_CERT_PATH", str(certificate)): f"run 'nowhere' is not in {address}",
            ("MLFLOW_TRACKING_INSECURE_TLS", "true"): f"run 'nowhere' is not in {address}",
        }.items():
            environment = {"MLFLOW_TRACKING_URI": address, **dict([trust] if trust else [])}
            process = Process("summarize", ["run_id=nowhere"], **environment)
            printed = process.rest()
            lines = [line for line in printed.splitlines() if line.startswith("error: ")]
            assert (process.returncode, len(lines)) == (2, 1), printed
            assert answer in lines[0]
