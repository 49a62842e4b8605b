"""Every command of README and docs runs as written, in order, in a copy of the repository.

Data Map's own commands and `mlflow run` run in this process, or each would import MLflow and Paddle anew; all others
in a shell. `make demo` trains on a quarter of the demo data, what comes after it on fewer rows.
"""

import itertools
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.request
from pathlib import Path

import pytest

from datamap.cli.entry import overview, run
from docs_pages import blocks, text_of
from reviewed import serving

DEMO_ROWS = 400  # of 1,500


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def serve(command, project, environment):
    """Run a command that does not end by itself until it has said where the runs are; then stop it.

    Returns the server's page, and where the runs are.
    """
    port = free_port()
    with (project / "server.log").open("w") as log:
        process = subprocess.Popen(
            command, shell=True, cwd=project, env={**environment, "PORT": str(port)}, start_new_session=True,
            stdout=log, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            for _ in range(600):
                said = re.match("the runs: (.*)\n", Path(log.name).read_text())  # comes first
                if said and is_open(port):
                    page = urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30).read().decode()
                    return page, said[1].replace(str(port), "PORT")
                time.sleep(0.25)
            raise AssertionError(f"{command} did not answer")
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(30)


def is_open(port):
    """Tell whether somebody listens on a port of this machine."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def review(command, project):
    """Run `datamap review`, decide about a sample as the page does, and end it with Ctrl-C."""
    program, step, run_id = shlex.split(command)
    assert (program, step) == ("datamap", "review")
    with serving(run_id.removeprefix("run_id="), XDG_STATE_HOME=str(project)) as server:
        server.decide(0, "drop")
        assert "keep=corrected" in server.end()
        assert server.process.returncode == 0


def layered_environment(folder):
    """A new environment that sees this process's packages, so that `make demo` has only Data Map to install."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (site,) = folder.glob("lib/*/site-packages")
    (site / "layer.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    for script in Path(sys.executable).parent.iterdir():
        if not (folder / "bin" / script.name).exists() and script.name != "datamap":
            (folder / "bin" / script.name).symlink_to(script)


def shorten(data, rows):
    """Keep the first samples of each file of the demo data."""
    for path in data.glob("demo*.*"):
        text = path.read_text(encoding="utf-8")
        end = "\n\n" if path.suffix == ".conll" else "\n"  # of a sample
        path.write_text(end.join(text.split(end)[: rows + 1]) + "\n", encoding="utf-8")


def shrink(model):
    """Make a model so small that it trains in no time; what it learns after `make demo` need not be much."""
    text = model.read_text(encoding="utf-8")
    small = {"layers": 1, "hidden_size": 16, "intermediate_size": 16, "heads": 2, "lr": 0.02}
    for key, value in small.items():
        text, changed = re.subn(rf"^( *{key}: )\S+", rf"\g<1>{value}", text, flags=re.MULTILINE)
        assert changed == 1, key
    model.write_text(text, encoding="utf-8")


def run_here(line):
    """Run one of Data Map's own commands, or `mlflow run`, in this process."""
    program, name, *arguments = shlex.split(line, comments=True)
    if program == "mlflow":
        import mlflow.cli

        mlflow.cli.cli([name, *arguments], standalone_mode=False)
    elif name == "--help":
        print(overview())
    else:
        assert (program, run(name, arguments)) == ("datamap", 0), line


def output(command, folder, environment):
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def pages():
    """README, then the pages of docs/ in the order of the table of contents."""
    contents = re.findall(r": ([\w-]+\.md)$", text_of("mkdocs.yml"), re.M)
    return ["README.md", *(f"docs/{name}" for name in contents)]


@pytest.mark.timeout(2400)
def test_commands_of_the_readme_and_the_docs(project, monkeypatch, python):
    layered_environment(project / ".venv")
    monkeypatch.chdir(project)
    monkeypatch.setattr(sys, "argv", ["datamap"])
    environment = {**os.environ, "GIT_PYTHON_REFRESH": "quiet", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    environment["PIP_NO_DEPS"] = "1"  # all are there; pip would look through them for four seconds
    for name in (
        "MAKEFLAGS",
        "MAKELEVEL",
        "MFLAGS",
    ):  # with those of `make test`, make names its folder first
        environment.pop(name, None)
    monkeypatch.setattr("datamap.cli.process.DEMO", project / "data")
    for module in ("compose", "entry"):
        monkeypatch.setattr(f"datamap.cli.{module}.CONF", project / "conf")
    # Workers would import Paddle for ten seconds each; tests/test_side_by_side.py has some.
    monkeypatch.setattr("datamap.training.shares.cores", lambda: 1)
    shorten(project / "data", DEMO_ROWS)
    activated, ran = "", 0
    for page in pages():
        for info, commands in blocks(page):
            if info != "sh":
                continue
            if commands == "make ui\n":
                shown, runs = serve(commands, project, environment)
                assert "<title>MLflow</title>" in shown
                assert runs == "http://127.0.0.1:PORT/#/experiments/1/runs?workflowType=machine_learning"
                continue
            if commands.startswith("datamap review "):
                review(commands, project)
                continue
            for here, lines in itertools.groupby(
                commands.splitlines(), lambda line: line.startswith(("datamap ", "mlflow run "))
            ):
                ran += len(lines := list(lines))
                if here:
                    for line in lines:
                        run_here(line)
                    continue
                shell = "\n".join(lines)
                done = output(["bash", "-e", "-c", activated + shell], project, environment)
                assert done.returncode == 0, f"{page}: {shell}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
                if shell == "make demo":
                    check_what_the_demo_made(project)
                    shorten(project / "data", 250)
                    shrink(project / "conf/model/tiny.yaml")
                if "source .venv/bin/activate" in shell:
                    activated = "source .venv/bin/activate\n"
    assert ran >= 30
    run_the_notebooks_example(project, environment)


def run_the_notebooks_example(project, environment):
    """Its lines run, and the command works in any folder after `make demo`."""
    ((_, example),) = [block for block in blocks("docs/notebooks.md") if block[0] == "python"]
    exec(compile(example, "docs/notebooks.md", "exec"), {})
    done = output([project / ".venv" / "bin" / "datamap", "plot", "--help"], "/", environment)
    assert (project / "conf" / "plot.yaml").read_text().strip() in done.stdout, done.stderr


def check_what_the_demo_made(project):
    """One run: dirty samples apart, three maps."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{project}/mlflow.db")
    experiment = client.get_experiment_by_name("datamap")
    (demo,) = client.search_runs([experiment.experiment_id])
    metrics = demo.data.metrics
    assert metrics["summary/auroc_dirty"] >= 0.9
    assert metrics["train/accuracy_normal"] > metrics["train/accuracy_dirty"]
    assert {metric.value for metric in client.get_metric_history(demo.info.run_id, "signals.rows")} == {
        DEMO_ROWS
    }
    maps = [file.path for file in client.list_artifacts(demo.info.run_id, "maps")]
    assert maps == [
        "maps/data_map.png",
        "maps/dirty_map.png",
        "maps/explorer.html",
        "maps/forgetting_map.png",
    ]
