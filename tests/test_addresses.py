"""Where a person finds a run: addresses of MLflow's UI, and what serves it."""

import re
import shlex
import threading
from pathlib import Path

import mlflow
import pytest

from conftest import ROOT
from datamap import SignalRecorder
from datamap.tracking import addresses, descriptions
from datamap.tracking.store import _alone
from reviewed import made_run


def test_a_servers_runs_are_there_and_local_ones_where_mlflow_ui_will_serve_them(monkeypatch, tmp_path):
    run = addresses.run_page("3", "abc", "maps/explorer.html")
    assert addresses.address("https://mlflow.example/", run) == (
        "https://mlflow.example/#/experiments/3/runs/abc/artifacts/maps/explorer.html?workflowType=machine_learning"
    )
    assert addresses.serving("https://mlflow.example") == ""
    assert addresses.address("sqlite:///mlflow.db", run).startswith(
        "http://127.0.0.1:5000/#/experiments/3/runs/abc/"
    )
    monkeypatch.setenv("MLFLOW_PORT", "5001")
    assert addresses.address("sqlite:///mlflow.db", run).startswith("http://127.0.0.1:5001/#/")
    assert addresses.serving("sqlite:///mlflow.db") == "mlflow ui"
    assert (
        addresses.serving("sqlite:////other/mlflow.db")
        == "mlflow ui --backend-store-uri sqlite:////other/mlflow.db"
    )
    assert addresses.serving("sqlite:////my runs/$(id).db") == (
        "mlflow ui --backend-store-uri 'sqlite:////my runs/$(id).db'"
    )
    (tmp_path / "我的 目录").mkdir()
    monkeypatch.chdir(tmp_path / "我的 目录")
    assert addresses.serving(mlflow.get_tracking_uri()) == "mlflow ui"
    monkeypatch.chdir(ROOT)
    assert addresses.serving(f"sqlite:///{ROOT}/mlflow.db") == "make ui"


def test_commands_print_links_into_the_run(command, store):
    with SignalRecorder(["no", "yes"]) as recorder:
        recorder.record(range(8), [0, 1] * 4, probs=[[0.9, 0.1], [0.2, 0.8]] * 4)
        recorder.commit(1)
    run = recorder.run_id

    def page(artifact):
        view = "?workflowType=machine_learning"
        return f"http://127.0.0.1:5000/#/experiments/1/runs/{run}/artifacts/{artifact}{view}"

    plotted = command("plot", f"run_id={run}").out
    assert f"maps/explorer.html: hover, filter, select and replay: {page('maps/explorer.html')}" in plotted
    diagnosed = command("diagnose", f"run_id={run}").out
    assert f"most likely wrong first: {page('diagnosis.tsv')}  (served by: mlflow ui)" in diagnosed
    assert "note: a diagnosis from 1 observation tells little" in diagnosed


def test_printed_commands_name_the_store_where_the_shell_does_not(command, store, monkeypatch, tmp_path):
    run, there = made_run(), "it's here"
    (tmp_path / there).mkdir()
    monkeypatch.chdir(tmp_path / there)
    uri = f"sqlite:///{tmp_path}/work/mlflow.db"
    printed = command("summarize", f"run_id={run}", f"tracking.uri={uri}").out.splitlines()[-1]
    monkeypatch.delenv(
        "MLFLOW_TRACKING_URI", raising=False
    )  # MLflow sets it in this process, but not in the user's shell
    called, script, *arguments = shlex.split(printed.removeprefix("next: "))
    assert (called, script) == ("python", "src/plot.py")
    assert command("plot", *arguments).code == 0
    for step, *options in (["diagnose"], ["curate", "keep=clean", "share=0.1"]):
        monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
        said = command(step, f"run_id={run}", *options, f"tracking.uri={uri}").out
        printed = [line.partition(": ")[2] for line in said.splitlines() if ": python src/" in line]
        assert printed and all(f"tracking.uri={uri}" in shlex.split(line) for line in printed), said
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert (
        command("summarize", f"run_id={run}").out.splitlines()[-1] == f"next: python src/plot.py run_id={run}"
    )


@pytest.mark.parametrize(
    ("source", "temporary"), [("file:///their/project", ".."), ("/user/file:/their/project", "x")]
)
def test_a_project_elsewhere_prints_commands_for_the_users_folder(
    command, client, monkeypatch, source, temporary
):
    run, experiment = made_run(), client.create_experiment("projects")
    tags = {"mlflow.source.name": source, "mlflow.project.entryPoint": "summarize"}
    Path(temporary).mkdir(exist_ok=True)
    monkeypatch.setattr("tempfile.tempdir", str(Path(temporary).resolve()))
    monkeypatch.setenv("MLFLOW_RUN_ID", client.create_run(experiment, tags=tags).info.run_id)
    printed = command("summarize", f"run_id={run}").out.splitlines()[-1]
    form = "next: mlflow run file:///their/project --env-manager local -e plot -P"
    assert printed == f"{form} run_id={run}"
    monkeypatch.delenv("MLFLOW_RUN_ID")
    printed = command("summarize", f"run_id={run}").out.splitlines()[-1]
    assert printed == f"next: python src/plot.py run_id={run}"


def test_first_trainings_wait_for_each_other_and_leave_no_lock_file(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for uri in (f"sqlite:///{tmp_path}/mlflow.db", "postgresql://db/mlflow"):
        entered = threading.Event()

        def second(uri=uri, entered=entered):
            with _alone(uri):
                entered.set()

        with _alone(uri):
            other = threading.Thread(target=second)
            other.start()
            assert not entered.wait(0.3)
        other.join(10)
        assert entered.is_set()
    assert [path.name for path in tmp_path.iterdir()] == ["work"]  # of `clean_world`


METRICS = {
    "summary/observations": 8, "summary/mean_confidence": 0.76, "summary/never_learnt": 83 / 1500,
    "summary/forgetting_events": 0.09, "summary/auroc_dirty": 0.97, "mislabelled/known": 1,
    "mislabelled/estimate": 86, "mislabelled/low": 24, "mislabelled/high": 167,
}  # fmt: skip


def described(artifacts, lang="en", **changed):
    metrics = {**METRICS, **{f"summary/{key}": value for key, value in changed.items()}}
    return descriptions.describe_run(1500, metrics, lambda path: f"#/{path}", artifacts, lang)


def test_a_description_links_what_is_there_and_says_what_selects_the_first_samples():
    text = described({"summary.tsv"})
    assert "the 83 samples that were never predicted correctly" in text
    assert "In [summary.tsv](#/summary.tsv) they come first when you sort by `correct_ratio`." in text
    text = described({"summary.tsv"}, never_learnt=0.5)  # such as a model that predicts one class throughout
    assert "Look first" not in text and "learned too little to say where to look first" in text
    text = described({"summary.tsv"}, learned=0)  # the same where one class has most samples
    assert "Look first" not in text and "learned too little to say where to look first" in text
    text = described({"summary.tsv"}, auroc_dirty=0.45)
    assert "Look first" not in text and "ranks them worse than chance" in text
    text = described({"summary.tsv", "maps/explorer.html"}, never_learnt=0)
    assert "the samples of lowest confidence" in text
    assert "In [summary.tsv](#/summary.tsv) they come first when you sort by `avg_probs`." in text
    text = described({"summary.tsv", "diagnosis.tsv"})
    assert "- [diagnosis.tsv](#/diagnosis.tsv): " in text and "explorer" not in text
    assert "**Look first at** the top of [diagnosis.tsv](#/diagnosis.tsv): the labels that are" in text
    assert (
        "**About 86 labels are wrong**, between 24 and 167. Read [diagnosis.tsv](#/diagnosis.tsv) from"
        in text
    )
    text = described({"summary.tsv", "maps/explorer.html"})
    assert (
        "In [maps/explorer.html](#/maps/explorer.html): *+ filter by range*, `correct_ratio`, from 0 to 0."
        in text
    )


@pytest.mark.parametrize("observations", [1, 2, 3])
def test_few_observations_are_called_so(observations):
    assert ("**Too few observations:**" in described(set(), observations=observations)) == (observations < 3)


def test_a_chinese_description_is_chinese():
    text = described({"summary.tsv", "maps/explorer.html", "diagnosis.tsv"}, "zh", observations=2)
    left = text.replace("diagnosis.tsv", "").replace("summary.tsv", "").replace("maps/explorer.html", "")
    assert "1,500 个样本，2 次观测" in text
    for word in ("samples", "observations", "Look first", "open", "wrong"):
        assert word not in left
    assert not re.search("[，。；：] ", text + described({"summary.tsv"}, "zh"))
