"""`datamap review` as a person runs it: real processes, killed and doubled, on a folder and behind a server."""

import json
import signal
from pathlib import Path

import pytest

from conftest import artifacts, local
from datamap.config import DiagnoseConfig, ReviewConfig
from reviewed import made_run, serving, until
from servers import mlflow_server


def lines(client, run_id):
    """All decisions in the run, as they were written."""
    return [
        json.loads(line)
        for path in artifacts(client, run_id, "review")
        for line in local(client, run_id, path).read_bytes().splitlines()
    ]


def test_the_whole_loop_on_the_command_line(client, command):
    run_id = made_run()
    with serving(run_id, "reviewer=王 五") as server:
        status, run = server("/api/run")
        assert (status, run["reviewer"], run["samples"], run["pairs"], run["texts"]) == (
            200,
            "王 五",
            40,
            False,
            True,
        )
        assert run["classes"] == ["class 0", "class 1", "class 2"]
        rows = server.queue(limit=6)[1]
        assert {row["row"] % 7 for row in rows} == {3}
        for row in rows[:3]:
            server.decide(row["row"], "label", row["proposed"])
        server.decide(rows[3]["row"], "drop")
        server.decide(rows[4]["row"], "unsure")
        progress = server.decide(rows[5]["row"], "keep")["progress"]
        assert (progress["reviewed"], progress["wrong"], progress["mine"]) == (6, 4, 6)
        assert progress["precision"]["value"] == 0.8
        said = server.end()
    assert "6 of 40 samples reviewed, 4 wrong" in said
    assert f"next: python src/curate.py run_id={run_id} keep=corrected" in said
    assert server.process.returncode == 0
    run = client.get_run(run_id).data
    assert (run.metrics["review/reviewed"], run.metrics["review/wrong"]) == (6, 4)
    assert "**6 samples reviewed**, 4 of them wrong" in run.tags["mlflow.note.content"]
    outcome = command("curate", f"run_id={run_id}", "keep=corrected")
    assert outcome.code == 0, outcome.err
    assert "39 of 40 samples, 3 relabeled" in outcome.out
    assert "nobody was sure about 1 sample" in outcome.out
    made = client.search_runs(["1"], order_by=["attributes.start_time DESC"])[0].data
    assert made.params["reviewers"] == made.tags["datamap.reviewed_by"] == "王 五"
    assert (made.params["decisions"], len(made.params["decisions_sha256"])) == ("6", 64)


def test_nothing_is_lost_when_the_server_is_killed_between_two_keys(client):
    run_id = made_run(classes=2)
    with serving(run_id) as server:
        first = server.decide(3, "label", 1)["decision"]
        server.process.kill()
        server.process.wait()
    file = local(client, run_id, "review/decisions.jsonl")
    file.write_bytes(file.read_bytes() + b'{"id": "s10", "action": "la')
    address = server.base, server.token
    with serving(run_id) as server:
        assert (server.base, server.token) == address  # an open page goes on
        assert any("already reviewed: 1 of 40 samples" in line for line in server.lines)
        assert server("/api/sample/3")[1]["decisions"] == [first]
        server.decide(4, "keep")
        server.end()
    with serving(run_id) as server:
        assert any(
            "note: ignoring 1 line of review/ without a valid decision" in line for line in server.lines
        )
        assert server("/api/progress")[1]["reviewed"] == 2


def test_two_reviewers_at_once_see_each_other(client, command):
    run_id = made_run(classes=2)
    with serving(run_id) as one, serving(run_id) as other:
        assert one.token != other.token
        for row in range(10):
            one.decide(row, "keep", who="安")
            other.decide(
                row, "keep" if row % 2 else "label", 1 - other(f"/api/sample/{row}")[1]["label"], who="Bob"
            )
        progress = one("/api/progress", who="安")[1]
        assert (progress["reviewed"], progress["mine"], progress["conflicts"]) == (10, 10, [0, 2, 4, 6, 8])
        assert progress["kappa"]["both"] == 10
        count, conflicting = one.queue({"decided": "conflict"}, who="安")
        assert count == 5
        assert all(row["decision"]["who"] == "安" for row in conflicting)
        assert "reviewers disagree about 5 samples: s0, s2" in one.end(signal.SIGTERM)
    assert len(lines(client, run_id)) == 20
    outcome = command("curate", f"run_id={run_id}", "keep=corrected")
    assert "reviewers disagree about 5 samples (they keep their labels): s0, s2" in outcome.out
    assert "0 relabeled" in outcome.out


def test_behind_a_server_each_session_keeps_a_file(empty_store, tmp_path, monkeypatch, shell):
    from mlflow import MlflowClient

    with mlflow_server(tmp_path / "server", empty_store) as address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        run_id = made_run(classes=2)
        client = MlflowClient(address)
        secret = address.replace("//", "//ann:s3cret@")
        with serving(run_id, f"tracking.uri={secret}") as one, serving(run_id) as other:
            assert "s3cret" not in str([one("/api/run"), one("/api/progress"), one("/api/sample/0")])
            assert one("/api/run")[1]["run_address"].startswith(f"{address}/#/experiments/1/runs/{run_id}")
            one.decide(3, "label", 1, who="a")
            one.process.kill()
            other.decide(4, "keep", who="b")
            progress = until(lambda: (p := other("/api/progress", who="b")[1])["reviewed"] == 2 and p)
            assert (progress["wrong"], progress["mine"]) == (1, 1)
            assert len(client.list_artifacts(run_id, "review")) == 2
            assert "next: " in other.end()
        with serving(run_id) as again:
            assert [d["who"] for d in again("/api/sample/3")[1]["decisions"]] == ["a"]
    assert not Path("mlruns").exists()


@pytest.mark.parametrize("samples", [10, 300])
def test_few_samples_and_many_classes(client, samples):
    run_id = made_run(samples, classes=2 if samples == 10 else 150)
    with serving(run_id) as server:
        assert len(server("/api/map")[1]) == 8 + samples * (3 * 4 + 1 + 2 * 2)
        history = until(lambda: server("/api/sample/1")[1]["history"])
        assert (history["numbers"], history["correct"]) == ([1, 2], [True, True])
        near = until(lambda: (found := server("/api/neighbors/1")[1])["ready"] and found)
        assert len(near["rows"]) == 8
        assert all(row["row"] != 1 for row in near["rows"])


def test_a_run_without_texts_is_reviewed_by_ids(client):
    run_id = made_run(texts=False)
    with serving(run_id) as server:
        assert any("has no texts" in line for line in server.lines)
        assert server("/api/run")[1]["texts"] is False
        assert server.queue({"text": "s13"})[1][0]["id"] == "s13"
        assert until(lambda: server("/api/neighbors/1")[1]["ready"])
        server.decide(3, "drop")


def test_a_port_that_is_taken(client, shell, command):
    run_id = made_run()
    with serving(run_id) as server:
        port = server.base.rpartition(":")[2]
        outcome = command("review", f"run_id={run_id}", f"port={port}")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1), outcome.err
    assert f"host=127.0.0.1 port={port}: Address already in use" in outcome.err


@pytest.mark.parametrize(
    "config",
    ["score: [1, 2]", "score: 2024-01-01", "score: .nan", 'score: "\\ud800"', f"score: {'9' * 4000}", "[]"],
)
def test_a_run_whose_config_is_anything_is_described(client, config):
    """Only what is of its type is told; a config that is no mapping of plain values is named."""
    from datamap.errors import DataMapError
    from datamap.pipeline import review
    from datamap.tracking.store import Store

    run = Store(None).run(made_run())
    run.log_text(config, "config/diagnose.yaml")
    try:
        about = review._about(
            run, ReviewConfig(reviewer="me", lang="en", diagnose=DiagnoseConfig(score="combined")), True
        )
    except DataMapError as error:
        assert config == "[]" or any(value in config for value in ("ud800", "2024", ".nan")), error
        assert "config/diagnose.yaml is damaged" in str(error)
    else:
        assert (about.score, about.estimate) == ("combined", None)
        json.dumps(about._asdict(), allow_nan=False).encode()


@pytest.mark.parametrize("estimate", [float("nan"), float("inf"), -1.0, 1e300])
def test_a_review_refuses_an_estimate_that_is_no_number_of_labels(client, command, estimate):
    run_id = made_run()
    client.log_metric(run_id, "mislabelled/estimate", estimate)
    outcome = command("review", f"run_id={run_id}", "open=false")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1), outcome.err
    assert "metric mislabelled/estimate" in outcome.err


def test_the_token_is_on_no_command_line_and_in_no_file_of_others(client, tmp_path):
    (tmp_path / "browser").write_text(
        f'#!/bin/sh\necho "$@" > {tmp_path}/arguments\nfile=${{1#file://}}\ncp $file {tmp_path}/copy\n'
        f"stat -c %a $(dirname $file) > {tmp_path}/mode\n"
    )
    (tmp_path / "browser").chmod(0o755)
    with serving(made_run(), "open=true", BROWSER=f"{tmp_path}/browser %s") as server:
        mode = tmp_path / "mode"
        until(lambda: mode.exists() and mode.read_text())
        copy = (tmp_path / "copy").read_text()
        opened = (tmp_path / "arguments").read_text().strip()
        assert server.token not in opened and f"{server.base}/?token={server.token}" in copy
        assert mode.read_text().strip() == "700"
        server.end()
    assert not Path(opened.removeprefix("file://")).exists()
