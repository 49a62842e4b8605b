"""The command line: what `mlflow run` passes, what Hydra would misread, what is printed."""

import pytest

from datamap.commands import overrides

TRANSLATIONS = {
    ("--model.name", "x"): ["model.name=x"],
    ("--trainer.epochs=3",): ["trainer.epochs=3"],
    ("criterion=",): [],
    ("--name", ""): [],
    ("--name", "a b"): ["name=a b"],
    ("run_id=9e345678901241238901234567890123",): ["run_id='9e345678901241238901234567890123'"],
    ("--run_id", "9e34"): ["run_id='9e34'"],
    ("run_id=latest",): ["run_id='latest'"],
    ("data.path=数据/训练集.tsv",): ["data.path='数据/训练集.tsv'"],
    ("data.path=it's.tsv",): ["data.path='it\\'s.tsv'"],
    ("tracking.tags={team: search}",): ["tracking.tags={team: search}"],
    ("--multirun", "seed=1,2"): ["--multirun", "seed=1,2"],
    ("--cfg", "job"): ["--cfg", "job"],
    ("model.name_or_path=./m",): ["model=folder", "model.name_or_path=./m"],
    ("model=tiny", "model.name_or_path=./m"): ["model=tiny", "model.name_or_path=./m"],
}


@pytest.mark.parametrize("arguments", TRANSLATIONS, ids=" ".join)
def test_translate(arguments):
    assert overrides.translate(arguments) == TRANSLATIONS[arguments]


@pytest.mark.parametrize("script", ["train", "summarize", "plot", "main"])
def test_help_explains_every_key(command, script):
    outcome = command(script, "--help")
    assert outcome.code == 0
    assert f"python src/{script}.py" in outcome.out
    assert "null = MLFLOW_TRACKING_URI" in outcome.out
    assert outcome.err == ""


MISTAKES = {
    ("train", "trainer.epoch=3"): ["Could not override 'trainer.epoch'", "did you mean trainer.epochs?"],
    ("train", "model=ernie"): ["Could not find 'model/ernie'", "tiny"],
    ("train", "trainer.epochs=zzz"): ["trainer.epochs: Value 'zzz'"],
    ("train", "trainer.epochs=0"): ["trainer.epochs=0 is out of range: it must be 1 or more"],
    ("train", "data=file"): ["data.path is missing: give data.path=<value>"],
    ("train", "data=file", "data.path=nowhere.tsv"): ["nowhere.tsv: no such file"],
    ("train", "foo"): ["foo"],
    ("summarize",): ["run_id is missing: give run_id=<id>, or run_id=latest"],
    ("plot",): ["run_id is missing"],
    ("plot", "run_id=latest"): ["there is no MLflow store at sqlite:///"],
    ("plot", "run_id=latest", "tracking.uri=http://127.0.0.1:9"): ["http://127.0.0.1:9 does not answer"],
    ("plot", "run_id=x", "use_f_times=0", "use_l_times=0"): ["both choose the colours"],
}


@pytest.mark.parametrize("arguments", MISTAKES, ids=" ".join)
def test_mistakes_end_as_one_line_and_exit_code_2(command, arguments):
    outcome = command(*arguments)
    assert outcome.code == 2, outcome
    assert outcome.err.startswith("error: ")
    assert outcome.err.count("\n") == 1
    assert outcome.out == ""
    for part in MISTAKES[arguments]:
        assert part in outcome.err


def test_a_bug_keeps_its_traceback(command, monkeypatch):
    def broken(_):
        raise ZeroDivisionError

    monkeypatch.setattr("datamap.commands.plot.plot", broken)
    with pytest.raises(ZeroDivisionError):
        command("plot", "run_id=x")


def test_ctrl_c_exits_130(command, monkeypatch):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("datamap.commands.plot.plot", interrupted)
    assert command("plot", "run_id=x").code == 130
