"""MLflow Projects: `mlflow run` as a person types it, in a copy of the repository."""

import os
import shutil
import sys
import sysconfig
from pathlib import Path

import pytest

from bytecode import share_bytecode
from conftest import SMALL_MODEL, Outcome
from foreign_files import GUIDS, write_dynamics


@pytest.fixture
def mlflow_run(project, empty_store, monkeypatch, capfd):
    """Run MLflow's command in the project, which has an empty store: mlflow_run("-e", "train") → Outcome.

    It runs in this process, which has imported MLflow, and starts the project in another.
    """
    import mlflow.cli

    monkeypatch.chdir(project)
    shutil.copy(empty_store, "mlflow.db")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")

    def run(*arguments):
        capfd.readouterr()
        code = 0
        try:
            mlflow.cli.cli(["run", ".", *arguments], standalone_mode=False)
        except SystemExit as stop:
            code = stop.code
        return Outcome(code, *capfd.readouterr())

    return run


@pytest.fixture
def runs(project):
    """The project's runs, oldest first, by experiment's name."""
    from mlflow import MlflowClient

    def found():
        client = MlflowClient(f"sqlite:///{project}/mlflow.db")
        everything = {e.experiment_id: e.name for e in client.search_experiments()}
        listed = client.search_runs(list(everything), order_by=["attributes.start_time ASC"])
        return client, listed

    return found


def test_mlflow_run_with_uv(mlflow_run, runs, tmp_path, monkeypatch):
    """`--env-manager uv` builds an environment of its own on any machine: uv is a package like others."""
    monkeypatch.setenv("MLFLOW_ENV_ROOT", str(tmp_path / "environments"))
    train = ("-e", "train", "--env-manager", "uv", *parameters(["data.sample=100"]))
    done = mlflow_run(
        *train, *parameters(["trainer.epochs=0"])
    )  # which makes the environment, and trains nothing
    assert "error: trainer.epochs=0 is out of range" in done.err, done.err[-3000:]
    (environment,) = tmp_path.glob("environments/*/")
    assert (environment / f"lib/python3.{sys.version_info[1]}/site-packages/paddlenlp").exists()
    share_bytecode(environment)
    done = mlflow_run(*train, *parameters(["trainer.epochs=1"]))
    assert done.code == 0, done.err[-3000:]
    _, found = runs()
    assert [run.info.status for run in found] == ["FAILED", "FINISHED"]
    assert found[1].data.metrics["signals.rows"] == 100


def test_mlflow_run_without_flags(mlflow_run, runs, project, tmp_path, monkeypatch):
    """`mlflow run . -e <step>` builds its own environment with pyenv, and leaves one whole run.

    That requirements.txt has all packages is tested above; here the environment borrows those of this process, and the
    step is one that need not import Paddle.
    """
    if not shutil.which("pyenv"):
        pytest.skip("no pyenv here, which mlflow run without --env-manager uses")  # addopts has -rs
    (project / "requirements.txt").write_text("")
    monkeypatch.setenv("PYTHONPATH", sysconfig.get_path("purelib"))
    monkeypatch.setenv("MLFLOW_ENV_ROOT", str(tmp_path / "environments"))
    files = write_dynamics(tmp_path / "dynamics")
    done = mlflow_run("-e", "import_signals", *parameters([f"path={files}"]))
    assert done.code == 0, done.err[-3000:]
    assert list(tmp_path.glob("environments/**/bin/python"))
    _, found = runs()
    assert [run.info.status for run in found] == ["FINISHED"]
    assert found[0].data.metrics["signals.rows"] == len(GUIDS)


def parameters(values):
    return [word for value in values for word in ("-P", value)]


def test_entry_points_pass_overrides_and_leave_no_stray_runs(mlflow_run, python, runs, pairs_file):
    local = ["--env-manager", "local", "-e"]
    small = parameters([*SMALL_MODEL, "data=file", f"data.path={pairs_file}", "tracking.run_name=my run"])
    done = mlflow_run(*local, "main", *small, *parameters(["trainer.lr=2e-3", "plot.use_f_times=0"]))
    assert done.code == 0, done.err
    client, (trained,) = runs()
    assert trained.info.run_name == "my run"
    assert float(trained.data.params["lr"]) == 2e-3
    maps = [file.path for file in client.list_artifacts(trained.info.run_id, "maps")]
    assert maps == ["maps/explorer.html", "maps/forgetting_map.png"]

    done = mlflow_run(*local, "plot", *parameters(["criterion=correct_times", "threshold=0"]))
    assert done.code == 0, done.err
    client, found = runs()
    assert [run.info.run_name for run in found] == ["my run", "plot of my run"]
    assert found[1].data.tags["mlflow.parentRunId"] == trained.info.run_id
    maps = [file.path for file in client.list_artifacts(trained.info.run_id, "maps")]
    assert maps == ["maps/data_map-correct_times_ge_0.png", "maps/explorer.html", "maps/forgetting_map.png"]

    done = mlflow_run(*local, "curate", "-P", "share=0.1")
    assert done.code == 0, done.err
    client, found = runs()
    assert [run.info.run_name for run in found[2:]] == ["clean my run"]
    assert found[2].data.tags["mlflow.parentRunId"] == trained.info.run_id


def test_every_entry_point_calls_its_script(project):
    """Compare with what `mlflow run` would start."""
    from mlflow.projects._project_spec import load_project

    spec = load_project(str(project))
    scripts = {path.stem for path in (project / "src").glob("*.py")}
    assert {entry.name for entry in spec._entry_points.values()} == scripts
    for name in scripts:
        command = spec.get_entry_point(name).compute_command({"path": "x", "a": "1"}, None)
        assert command.startswith(f"python src/{name}.py") and command.endswith("--a 1"), command


def test_a_mistake_fails_in_one_line(mlflow_run, python):
    done = mlflow_run("--env-manager", "local", "-e", "train", "-P", "trainer.epochs=0")
    assert done.code != 0
    assert "error: trainer.epochs=0 is out of range: it must be 1 or more" in done.err
