"""Provide what all tests share: a clean MLflow per test, and the commands run as a person runs them."""

import contextlib
import functools
import gc
import hashlib
import json
import os
import re
import runpy
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import filelock
import pytest
from hypothesis import settings

import warm
from datamap.tracking import addresses

# The machine may be busy; the same examples each time, so that a change is what makes a test fail.
settings.register_profile("tests", deadline=None, max_examples=30, derandomize=True)
settings.register_profile("fuzz", deadline=None, max_examples=2000)  # make fuzz
settings.load_profile("tests")

# A shell that starts the tests in the background has them ignore Ctrl-C, and every process that a test starts too.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A shell may keep Python from writing bytecode: each process that a test starts would compile all that it imports.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


def clean_environment():
    """Take away what a shell, a test or MLflow itself left in the environment; monkeypatch would bring it back."""
    for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
        if name != "MLFLOW_DISABLE_TELEMETRY":
            del os.environ[name]


clean_environment()
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"  # tests report to nobody

# Threads of BLAS and OpenMP wait for each other in a busy loop where arrays are as small as those of the tests: a third
# of the CPU time of a diagnosis. Both read this when they are imported.
os.environ["OMP_NUM_THREADS"] = "1"

gc.disable()  # until all is imported, which makes no garbage

ROOT = Path(__file__).resolve().parents[1]


def pytest_collection_finish():
    """Exempt what was imported from garbage collections, which take a sixth of the time of a test otherwise."""
    gc.enable()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session):
    """Leave a copy of this process as it is before the first test; the controller of xdist collects no test."""
    if (
        getattr(session, "items", ()) and sys.platform == "linux"
    ):  # elsewhere what is imported may not survive it
        warm.stand_by()


@pytest.fixture(autouse=True)
def clean_world(tmp_path, monkeypatch):
    """Each test works in an empty folder, with MLflow's and Hydra's global state as new."""
    clean_environment()
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    monkeypatch.setenv(
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false"
    )  # datamap.tracking does, at its import
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    monkeypatch.delenv("DATAMAP_LANG", raising=False)
    monkeypatch.setattr("datamap.translations._spoken", None)
    monkeypatch.setattr("datamap.log._beginning", None)  # which the commands of a fixture set, too
    monkeypatch.setattr(addresses, "_of_shell", None)  # what a command of the test before found
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    yield
    clean_environment()
    if "mlflow" in sys.modules:
        sys.modules["mlflow"].set_tracking_uri(None)
        forget()


def forget():
    """Make MLflow forget the active experiment, and the git commit that the first run of a process found."""
    from mlflow.tracking import fluent
    from mlflow.tracking.context.git_context import GitRunContext
    from mlflow.tracking.context.registry import _run_context_provider_registry

    fluent._active_experiment_id = None
    for provider in _run_context_provider_registry:
        if isinstance(provider, GitRunContext):
            provider._cache.clear()


ADVICE = re.compile(r"(?<![\w.'/-])([a-z_]+(?:\.[a-z_]+)*)=")


def foreign_keys(script, printed):
    """Return the keys that errors and notes advise, and that their command does not have.

    Advice for another command names that command before the key: "train with data.folds=3".
    """
    from datamap.config import STEPS, list_keys

    own, every = set(list_keys(STEPS[script])), {"samples", "class_names"}  # of the recorder
    every |= {key for step in STEPS.values() for key in list_keys(step)}
    commands = re.compile(r"\b(import|export|record|{})\b".format("|".join(STEPS)))
    lines = [line for line in printed.splitlines() if re.match("error:|note:|注意", line)]
    return [
        found[1]
        for line in lines
        for found in ADVICE.finditer(line)
        if found[1] in every - own and not commands.search(re.split("[;；]", line[: found.start()])[-1])
    ]


class Outcome:
    """Hold what a command printed, and its exit code."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def command(monkeypatch, capsys):
    """Run a script of `src/` in this process: command("plot", "run_id=latest") → Outcome."""

    def run(script, *arguments):
        path = ROOT / "src" / f"{script}.py"
        monkeypatch.setattr(sys, "argv", [str(path), *arguments])
        capsys.readouterr()
        code = 0
        try:
            runpy.run_path(str(path), run_name="__main__")
        except SystemExit as stop:
            code = stop.code or 0
        out, err = capsys.readouterr()
        assert not foreign_keys(script, f"{out}\n{err}"), out + err
        return Outcome(code, out, err)

    return run


def run_process(arguments, cwd=None, timeout=300, **environment):
    """Run a command line in a process of its own: (["python", "src/plot.py", …]) → Outcome."""
    done = subprocess.run(
        arguments,
        cwd=cwd,
        timeout=timeout,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def python(monkeypatch):
    """Make `python` on the PATH run scripts in processes that need not import MLflow and Paddle first."""
    from processes import warm_python

    with warm_python() as (program, environment):
        for name, value in {**environment, "PATH": f"{program.parent}:{os.environ['PATH']}"}.items():
            monkeypatch.setenv(name, value)
        yield program


@pytest.fixture
def shell():
    """`run_process`, as a fixture."""
    return run_process


PAIRS = [
    ("怎么换手机壳", "手机壳如何更换", 1),
    ("怎么换手机壳", "手机壳多少钱", 0),
    ("北京天气怎么样", "今天北京天气好吗", 1),
    ("北京天气怎么样", "上海有什么好吃的", 0),
    ("如何办理信用卡", "信用卡怎么办理", 1),
    ("如何办理信用卡", "信用卡怎么注销", 0),
]


@pytest.fixture
def pairs_file(tmp_path):
    """A small file of text pairs in the original's order, without a header; 36 rows."""
    return write_pairs(tmp_path)


def write_pairs(folder):
    """Write the small file of text pairs into a folder; returns its path."""
    path = folder / "pairs.tsv"
    rows = [f"{a}{n}\t{b}{n}\t{label}" for n in range(6) for a, b, label in PAIRS]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


SMALL_MODEL = (
    "trainer.epochs=3",
    "trainer.max_length=24",
    "model.scratch.hidden_size=16",
    "model.scratch.intermediate_size=16",
    "model.scratch.heads=2",
    "model.scratch.layers=1",
    "plot.live=false",
)


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory):
    """A folder that all workers of this session share."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@pytest.fixture(scope="session")
def empty_store(shared_folder):
    """An MLflow database with its tables and nothing in them; making one takes seconds."""
    from mlflow import MlflowClient
    from mlflow.store.db import utils

    # For each store that it opens, MLflow imports all of its migrations to learn which one is the last.
    utils._get_latest_schema_revision = functools.cache(utils._get_latest_schema_revision)
    made, path = shared_folder / "store" / "made.db", shared_folder / "store" / "mlflow.db"
    made.parent.mkdir(exist_ok=True)
    with filelock.FileLock(f"{path}.lock"):
        if not path.exists():
            made.unlink(missing_ok=True)  # of one that failed
            MlflowClient(f"sqlite:///{made}").search_experiments()
            shutil.copy(made, path)
    return path


def free_port():
    """A port of this machine that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture
def store(empty_store, clean_world):
    """The default store of the folder that the test works in."""
    shutil.copy(empty_store, "mlflow.db")


@pytest.fixture
def client(store):
    """MLflow's client of that store."""
    from mlflow import MlflowClient

    return MlflowClient()


def artifacts(client, run_id, path=None):
    """Paths of all artifacts of a run below a folder."""
    found = []
    for file in client.list_artifacts(run_id, path):
        found += artifacts(client, run_id, file.path) if file.is_dir else [file.path]
    return sorted(found)


def local(client, run_id, path):
    """Where an artifact lies."""
    return Path(client.get_run(run_id).info.artifact_uri, path)


@pytest.fixture
def trained(command, monkeypatch, shared_folder, empty_store, store):
    """Copy finished trainings of the text pairs into the test's store: trained(["seed=1"], ["seed=2"]) → outputs.

    The first test of the session that asks for these trainings trains; all others get a copy, theirs to change. With
    `then="diagnose"`, this command has been run on each of them, too.
    """

    def copied(*trainings, then=""):
        name = hashlib.sha256(json.dumps([trainings, then]).encode()).hexdigest()[:12]
        made = shared_folder / f"trained-{name}"
        with filelock.FileLock(f"{made}.lock"):
            if not (made / "outputs.json").exists():
                shutil.rmtree(made, ignore_errors=True)  # of one that failed
                made.mkdir()
                with monkeypatch.context() as there:
                    there.chdir(made)
                    shutil.copy(empty_store, "mlflow.db")
                    if then:
                        outputs = copied(*trainings)
                        for run_id in [output.split()[1] for output in outputs]:
                            assert command(then, f"run_id={run_id}").code == 0
                    else:
                        outputs = [train_pairs(command, made, options) for options in trainings]
                (made / "outputs.json").write_text(json.dumps(outputs), encoding="utf-8")
        copy_store(made, Path.cwd())
        return json.loads((made / "outputs.json").read_text(encoding="utf-8"))

    return copied


def train_pairs(command, folder, options):
    """Train the small model on text pairs in a folder; returns what the command printed."""
    outcome = command("train", "data=file", f"data.path={write_pairs(folder)}", *SMALL_MODEL, *options)
    assert outcome.code == 0, outcome.err
    return outcome.out


def copy_store(source, target):
    """Copy runs and artifacts to a folder that has an empty store; whoever has that store open sees them."""
    shutil.copytree(source / "mlruns", target / "mlruns")
    with (
        contextlib.closing(sqlite3.connect(source / "mlflow.db")) as made,
        contextlib.closing(sqlite3.connect(target / "mlflow.db")) as copy,
    ):
        made.backup(copy)
        for table, column in (("runs", "artifact_uri"), ("experiments", "artifact_location")):
            copy.execute(f"UPDATE {table} SET {column} = replace({column}, ?, ?)", (str(source), str(target)))
        copy.commit()
    from mlflow.tracking._tracking_service import utils

    utils._artifact_repos_cache.clear()  # MLflow remembers by a run's id where its artifacts are


@pytest.fixture
def small_run(trained):
    """Id of a run with three observations of 36 samples, in a store of its own."""
    return trained([])[0].split()[1]


def signal_records(probs, labels, ids=None):
    """Records of signals for a (T, N) list of label probabilities over two classes."""
    import numpy as np

    probs = np.asarray(probs, float)
    ids = list(range(probs.shape[1])) if ids is None else ids
    return [
        [
            {"id": i, "label": label, "noisy_label": 0, "correct": bool(p > 0.5), "label_probs": float(p)}
            for i, label, p in zip(ids, labels, row, strict=True)
        ]
        for row in probs
    ]


def copy_repository(target):
    """Copy the repository's files (not its environment and runs) to a folder; returns it."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).exists():  # else it was deleted, and that is not committed yet
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    return target


@pytest.fixture
def project(tmp_path):
    """A copy of the repository."""
    return copy_repository(tmp_path / "project")
