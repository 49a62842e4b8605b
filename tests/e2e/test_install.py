"""`pip install` of the sdist and the wheel into an empty environment: no clone, no paddle, and all commands."""

import json
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bytecode import share_bytecode
from conftest import ROOT, copy_repository, run_process

SAMPLES, EPOCHS = 60, 4


@pytest.fixture(scope="module")
def dist(tmp_path_factory):
    """(sdist, the wheel that is built from it)."""
    folder = tmp_path_factory.mktemp("dist")
    done = run_process(
        ["uv", "build", "--out-dir", str(folder / "dist")], cwd=copy_repository(folder / "clone")
    )
    assert done.code == 0, done.err
    return next(folder.glob("dist/*.tar.gz")), next(folder.glob("dist/*.whl"))


@pytest.fixture(scope="module")
def installed(dist, tmp_path_factory):
    """The `bin` of an environment that holds the wheel, and what it needs, and nothing else."""
    folder = tmp_path_factory.mktemp("environment")
    for command in (
        ["venv", "--python", sys.executable, folder],
        ["pip", "install", "--python", folder, dist[1]],
    ):
        done = run_process(["uv", *map(str, command)])
        assert done.code == 0, done.err
    share_bytecode(folder)
    return folder / "bin"


@pytest.fixture
def datamap(installed):
    """Run the installed command in the test's empty folder: datamap("plot", "run_id=latest") → Outcome."""
    return lambda *arguments: run_process([str(installed / "datamap"), *arguments], PYTHONPATH="")


# Each process of its own would import MLflow anew.
STEPS = """
import json, sys
from datamap.cli.entry import run
sys.argv, steps = ["datamap"], json.loads(sys.argv[1])
for command, *arguments in steps:
    assert run(command, arguments) == 0
"""


def cartography_files(folder):
    """Dataset Cartography's files of signals: every seventh sample drifts away from its label."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    for epoch in range(EPOCHS):
        logits = rng.normal(epoch * np.where(np.arange(SAMPLES) % 7 == 0, -1, 1), 0.5)
        rows = [
            {"guid": i, f"logits_epoch_{epoch}": [float(x) * (i % 2 == 0), float(x) * (i % 2)], "gold": i % 2}
            for i, x in enumerate(logits)
        ]
        (folder / f"dynamics_epoch_{epoch}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    texts = [f"{i}\tsentence {i}\t{i % 2}\n" for i in range(SAMPLES)]
    Path("texts.tsv").write_text("id\ttext_a\tlabel\n" + "".join(texts))
    return folder


def test_the_wheel_ships_the_package_the_config_and_the_demo_data_and_no_scripts(dist):
    with zipfile.ZipFile(dist[1]) as wheel:
        shipped = {name for name in wheel.namelist() if ".dist-info/" not in name}
        sources = {
            path.relative_to(ROOT / "src").as_posix(): path
            for path in (ROOT / "src" / "datamap").rglob("*")
            if path.is_file() and path.suffix != ".pyc"
        }
        sources |= {f"datamap/{path.relative_to(ROOT)}": path for path in (ROOT / "conf").rglob("*.yaml")}
        sources |= {f"datamap/demo/{path.name}": path for path in (ROOT / "data").glob("demo*.*")}
        assert shipped == set(sources)
        for name, path in sources.items():
            assert wheel.read(name) == path.read_bytes(), name


def test_an_index_would_accept_both(dist):
    done = run_process([sys.executable, "-m", "twine", "check", "--strict", *map(str, dist)])
    assert done.code == 0, done.out


def test_from_a_file_of_signals_to_map_and_diagnosis_with_neither_paddle_nor_a_clone(
    datamap, installed, dist
):
    from mlflow import MlflowClient

    probe = "import datamap, importlib.util as i; print(datamap.__file__, i.find_spec('paddle'))"
    assert run_process([str(installed / "python"), "-c", probe], PYTHONPATH="").out == (
        f"{next(installed.parent.glob('lib/*/site-packages'))}/datamap/__init__.py None\n"
    )
    steps = (
        ("import", f"path={cartography_files(Path('signals'))}", "texts=texts.tsv"),
        ("plot", "run_id=latest"),  # which summarizes, too
        ("diagnose", "run_id=latest", "score=confidence"),
    )
    done = run_process([str(installed / "python"), "-c", STEPS, json.dumps(steps)], PYTHONPATH="")
    assert done.code == 0, done.err
    run_id = done.out.split()[1]
    assert f"next: datamap summarize run_id={run_id}\n" in done.out
    client = MlflowClient("sqlite:///mlflow.db")
    made = {file.path for folder in ("", "maps") for file in client.list_artifacts(run_id, folder)}
    assert {"summary.tsv", "diagnosis.tsv", "maps/data_map.png", "maps/explorer.html"} <= made
    worst = pd.read_csv(client.download_artifacts(run_id, "diagnosis.tsv"), sep="\t").head(8)
    assert set(worst["id"] % 7) == {0}

    done = datamap("train")
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "error: Data Map is installed without the extra [train], which this needs: pip install 'datamap[train]'\n"
    )


def test_the_sdist_installs_too(datamap, installed, dist):
    done = run_process(
        ["uv", "pip", "install", "--python", str(installed.parent), "--reinstall", "--no-deps", str(dist[0])]
    )
    assert done.code == 0, done.err
    done = datamap("summarize", "--help")
    assert done.code == 0, done.err
    assert (ROOT / "conf" / "summarize.yaml").read_text().strip() in done.out
    assert "datamap <command>" in datamap("--help").out


def test_an_editable_install_reads_the_config_of_the_clone(datamap, installed, tmp_path):
    """`make demo` installs it so that `datamap` and `import datamap` work from any folder."""
    clone = copy_repository(tmp_path / "clone")
    done = run_process(
        ["uv", "pip", "install", "--python", str(installed.parent), "--no-deps", "--editable", str(clone)]
    )
    assert done.code == 0, done.err
    config = clone / "conf" / "summarize.yaml"
    config.write_text(config.read_text() + "# ours\n")
    done = datamap("summarize", "--help")
    assert done.code == 0, done.err
    assert "# ours" in done.out
