"""The command line: what `mlflow run` passes, what Hydra would misread, what is printed."""

import contextlib
import errno
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import mlflow
import pyarrow as pa
import pytest
import sqlalchemy
import yaml
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from conftest import ROOT, run_process
from datamap.cli import overrides, process
from datamap.cli.compose import compose
from datamap.config import STEPS, TrainConfig, defaults, to_yaml, validated

TRANSLATIONS = {
    ("--model.name", "x"): ["model.name=x"],
    ("--trainer.epochs=3",): ["trainer.epochs=3"],
    ("run_id=",): [],
    ("--tracking.run_name", ""): [],
    ("criterion=",): ["criterion="],  # no key of train: Hydra refuses it
    ("--nope",): ["nope="],
    ("--name", "a b"): ["name=a b"],
    ("run_id=9e345678901241238901234567890123",): ["run_id='9e345678901241238901234567890123'"],
    ("--run_id", "9e34"): ["run_id='9e34'"],
    ("run_id=latest",): ["run_id=latest"],
    ("data.path=数据/训练集.tsv",): ["data.path='数据/训练集.tsv'"],
    ("data.path=it's.tsv",): ["data.path='it\\'s.tsv'"],
    ("tracking.tags={team: search}",): ["tracking.tags={team: search}"],
    ("--multirun", "seed=1,2"): ["--multirun", "seed=1,2"],
    ("--cfg", "job", "seed=1"): ["--cfg=job", "seed=1"],
    ("-c", "job", "--resolve"): ["-c=job", "--resolve"],
    ("--info", "seed=1"): ["--info", "seed=1"],
    ("--info", "defaults"): ["--info=defaults"],
    ("-m", "tracking.run_name=12_5, 1.50"): ["-m", "tracking.run_name='12_5','1.50'"],
    ("-m", "data.path='a,b.tsv',数据.tsv"): ["-m", "data.path='a,b.tsv','数据.tsv'"],
    ("-m", "data.path=choice(1.50,b)"): ["-m", "data.path=choice('1.50',b)"],
    ("data.path=a,b.tsv",): ["data.path='a,b.tsv'"],
    ("tracking.tags={a: 1.50, b: 'x, y'}",): ["tracking.tags={a: '1.50', b: 'x, y'}"],
    ("tracking={run_name: 12_5, retry_seconds: 3}",): ["tracking={run_name: '12_5', retry_seconds: 3}"],
    ("++tracking.run_name=12_5",): ["++tracking.run_name='12_5'"],
    ("data.columns.text_a=2", "data.columns.label='2'"): ["data.columns.text_a=2", "data.columns.label='2'"],
    ("model.name_or_path=./m",): ["model=folder", "model.name_or_path=./m"],
    ("model=tiny", "model.name_or_path=./m"): ["model=tiny", "model.name_or_path=./m"],
}


@pytest.mark.parametrize("arguments", TRANSLATIONS, ids=" ".join)
def test_translate(arguments):
    assert overrides.translate(arguments, TrainConfig) == TRANSLATIONS[arguments]


TYPED = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30)
TROUBLE = st.lists(st.sampled_from([*"15_.e\\'\"}{[:=, ，-", "${"]), min_size=1).map("".join)

process.register_resolvers()


def arrived(step, *arguments):
    return validated(compose(step, overrides.translate(list(arguments), STEPS[step])), step)


@given(values=st.tuples(*[TYPED | TROUBLE] * 4))
@example(values=("2024_11_26", "12_5", "1.50", "true"))
@example(values=("NULL", "0x10", "1e5", "\\\\server\\share"))
@example(values=("${oc.env:HOME}", "{a: b}", "[a, b]", "它，它,'x"))
@settings(max_examples=15)
def test_any_text_arrives_as_typed(values):
    assume(all(v not in ("null", "???") and not re.fullmatch(overrides.QUOTED, v) for v in values))
    texts = ("tracking.experiment", "tracking.run_name", "data.path")
    found = arrived(
        "train",
        *(f"{key}={value}" for key, value in zip(texts, values, strict=False)),
        "--data.name",
        values[3],
    )
    logged = yaml.safe_load(to_yaml(found))
    assert (found.tracking.experiment, found.tracking.run_name, found.data.path, found.data.name) == values
    assert tuple(logged[a][b] for a, b in (key.split(".") for key in (*texts, "data.name"))) == values


def test_what_the_user_quotes_is_text_and_null_is_none():
    def experiment(value):
        return arrived("train", f"tracking.experiment={value}").tracking.experiment

    assert (experiment("null"), experiment("'null'"), experiment('"1.50"')) == (None, "null", "1.50")
    assert (
        defaults(
            "train", data={"path": "x", "dev_path": None}, tracking={"experiment": "${oc.env:HOME}"}
        ).tracking.experiment
        == "${oc.env:HOME}"
    )


def test_ids_and_tags_are_text():
    assert arrived("compare", "runs=[9e34,'12_5', 007]").runs == ["9e34", "12_5", "007"]
    assert arrived("compare", "runs=9e34").runs == "9e34"
    assert arrived("curate", "keep=matching", "run_id=x", "ids=null").ids is None
    assert arrived("curate", "keep=matching", "run_id=x", "ids=[9e34,12_5,007,true,null]").ids == [
        "9e34",
        "12_5",
        "007",
        "true",
        "null",
    ]
    assert arrived("train", "data.path=x", "data.ids=[1e5]").data.ids == ["1e5"]
    tags = arrived("train", "tracking.tags={a: 1.50, b: true, c: null, d: 'x, y'}").tracking.tags
    assert tags == {"a": "1.50", "b": "true", "c": "null", "d": "x, y"}
    assert arrived("train", "+tracking.tags.a=1.50").tracking.tags == {"a": "1.50"}
    assert arrived("main", "maps=[{name: 12_5, use_f_times: 0}]").maps == [{"name": "12_5", "use_f_times": 0}]


def test_hydra_prints_the_config_of_a_job(command):
    outcome = command("train", "--cfg", "job", "tracking.experiment=2024_11_26")
    assert (outcome.code, outcome.err) == (0, "")
    assert "experiment: '2024_11_26'" in outcome.out


@pytest.mark.parametrize("script", ["train", "summarize", "plot", "main"])
def test_help_explains_every_key(command, script):
    outcome = command(script, "--help")
    assert outcome.code == 0
    assert f"python src/{script}.py" in outcome.out
    assert "null = MLFLOW_TRACKING_URI" in outcome.out
    assert outcome.err == ""


MISTAKES = {
    ("train", "trainer.epoch=3"): ["error: trainer.epoch: no such key; did you mean trainer.epochs?\n"],
    ("train", "signals.planted=1"): [
        "error: signals.planted: no such key\n"
    ],  # nor is one of its group similar
    ("train", "model=ernie"): ["model=ernie: choose ernie-3.0-base-zh", "tiny"],
    ("train", "model=tinny"): ["or tiny; did you mean tiny?"],
    ("train", "trainer.epochs=zzz"): ["trainer.epochs: Value 'zzz'"],
    ("train", "trainer.epochs=0"): ["trainer.epochs=0 is out of range: it must be 1 or more"],
    ("train", "data=file"): ["data.path is missing: give data.path=<value>"],
    ("train", "data=file", "data.path=nowhere.tsv"): ["nowhere.tsv: no such file"],
    ("train", "foo"): ["'foo' has no key: give key=value; --help lists the keys"],
    ("train", "trainer.epochs=1,2"): ["trainer.epochs=1,2 has several values: give one, or add -m"],
    ("train", "data.columns.text_a=-1"): ["data.columns.text_a=-1: give a column's name"],
    ("train", "model.max_length=2000000000"): ["model.max_length=2000000000 is out of range"],
    ("train", "data=file", f"data.path={'a' * 5000}.tsv"): ["cannot be read (File name too long)"],
    ("summarize",): ["run_id is missing: give run_id=<id>, or run_id=latest"],
    ("plot",): ["run_id is missing"],
    ("plot", "run_id=latest"): ["there is no MLflow store at sqlite:///"],
    ("plot", "run_id=latest", "tracking.uri=http://127.0.0.1:9"): ["http://127.0.0.1:9 does not answer"],
    ("plot", "run_id=x", "use_f_times=0", "use_l_times=0"): ["both choose the colors"],
    ("summarize", "run_id=x", "engine=1.5"): ["engine=1.5: choose dask or local"],
    ("summarize", "run_id=x", "extra=${oc.env:HOME}"): ["extra: '${oc.env:HOME}' is a text"],
    ("plot", "run_id=x", "summarize=${run_id}"): [
        "error: summarize='${run_id}': it holds keys; give summarize.lang=, or summarize={lang: …}"
    ],
    ("curate", "run_id=x", "keep=clean", "tracking.tags=${run_id}"): ["tracking.tags: "],
    ("curate", "run_id=x", "keep=clean", "share=${oc.env:HOME}"): ["Value '${oc.env:HOME}' of type 'str'"],
    ("curate", "run_id=x", "keep=clean", f"threshold={'9' * 400}"): ["a number is too large"],
    ("curate", "run_id=x", "keep=clean", "share=a\nb"): ["share: Value 'a b' of type 'str'"],
    ("plot", "run_id=x", "tracking.uri=\udcff"): ["'tracking.uri=\\udcff' is not UTF-8"],
}


@pytest.mark.parametrize("arguments", MISTAKES, ids=" ".join)
def test_mistakes_end_as_one_line_and_exit_code_2(command, arguments):
    outcome = command(*arguments)
    assert outcome.code == 2, outcome
    assert outcome.err.startswith("error: ")
    assert outcome.err.count("\n") == 1
    assert set(outcome.out.splitlines()) <= {"reading from http://127.0.0.1:9"}  # said after a second
    for part in MISTAKES[arguments]:
        assert part in outcome.err


def raising(error):
    def run(_):
        raise error

    return run


def test_a_bug_leaves_its_traceback_in_a_file_and_one_line(command, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr("datamap.pipeline.plot.plot", raising(ZeroDivisionError("by\nzero")))
    outcome = command("plot", "run_id=x")
    assert outcome.code == 1
    (file,) = tmp_path.glob("datamap-error-*.txt")
    assert outcome.err == (
        f"error: a bug in Data Map: ZeroDivisionError: by zero (traceback in {file}); "
        "observations that were committed are safe\n"
    )
    assert "in raising" not in outcome.err
    assert "raise error" in file.read_text()


FOREIGN = {
    "No space left": OSError(errno.ENOSPC, "No space left on device", "/full/x"),
    "File name too long": OSError(errno.ENAMETOOLONG, "File name too long", "a" * 300),
    "out of memory": MemoryError(),
    "sqlalchemy: unable to open": sqlalchemy.exc.OperationalError(
        "SELECT 1", None, Exception("unable to open")
    ),
    "pyarrow: deep": pa.ArrowInvalid("deep\ndeeper"),
    "postgresql://ann:***@db": mlflow.exceptions.MlflowException("postgresql://ann:secret@db is away"),
}


@pytest.mark.parametrize("expected", FOREIGN)
def test_what_others_raise_is_one_line_without_passwords(command, monkeypatch, expected):
    monkeypatch.setattr("datamap.pipeline.plot.plot", raising(FOREIGN[expected]))
    outcome = command("plot", "run_id=x")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert outcome.err.startswith("error: ")
    assert expected in outcome.err
    assert "secret" not in outcome.err


def test_a_terminal_without_chinese_shows_help(shell):
    outcome = shell([sys.executable, str(ROOT / "src" / "plot.py"), "--help"], PYTHONIOENCODING="ascii")
    assert (outcome.code, outcome.err) == (0, "")


def test_help_into_a_full_device_is_one_line():
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, str(ROOT / "src" / "plot.py"), "--help"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 2
    assert done.stderr == "error: standard output: No space left on device; free some space\n"


def test_ctrl_c_exits_130(command, monkeypatch):
    monkeypatch.setattr("datamap.pipeline.plot.plot", raising(KeyboardInterrupt()))
    assert command("plot", "run_id=x").code == 130


def test_ctrl_c_while_the_command_starts():
    code = "import datamap.cli; raise KeyboardInterrupt"
    done = run_process([sys.executable, "-c", code], PYTHONPATH=str(ROOT / "src"))
    assert (done.code, done.err) == (-signal.SIGINT, "interrupted\n")  # a shell calls it 130


def test_an_interrupt_that_meets_the_garbage_collector_is_not_lost(command, monkeypatch):
    class Collected:
        def __del__(self):
            raise KeyboardInterrupt

    def plot(_):
        Collected()  # and is gone at once; Python prints what is raised there, and goes on
        for _ in range(500):
            time.sleep(0.01)

    monkeypatch.setattr("datamap.pipeline.plot.plot", plot)
    outcome = command("plot", "run_id=x")
    assert (outcome.code, outcome.err) == (130, "interrupted\n")


def test_an_interrupt_that_an_extension_turned_into_its_own_error_is_one(command, monkeypatch):
    def plot(_):
        with contextlib.suppress(KeyboardInterrupt):  # as the C++ of Matplotlib does
            signal.raise_signal(signal.SIGINT)
        raise ValueError("Invalid bounding box")

    monkeypatch.setattr("datamap.pipeline.plot.plot", plot)
    outcome = command("plot", "run_id=x")
    assert (outcome.code, outcome.err) == (130, "interrupted\n")


def test_python_m_datamap_is_the_command():
    from datamap import __version__

    done = run_process([sys.executable, "-m", "datamap", "--version"], PYTHONPATH=str(ROOT / "src"))
    assert (done.code, done.out, done.err) == (0, f"datamap {__version__}\n", "")
