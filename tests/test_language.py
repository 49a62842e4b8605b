"""lang=zh, once: printed lines, pages, files and descriptions speak it, and a run keeps its language."""

import re
from dataclasses import fields

import mlflow
import numpy as np
import pandas as pd
import pytest
from omegaconf import OmegaConf

import datamap
from conftest import ROOT, local
from datamap.config import STEPS, defaults
from datamap.labels.reasons import retold
from datamap.pipeline import review
from datamap.pipeline.run_access import reading_store
from datamap.review.queries import UnknownSampleError
from datamap.tracking.run import LANG_TAG, NOTE_TAG
from datamap.tracking.store import Store
from datamap.translations import spoken
from foreign_files import text_of, tutorial_record, write

CHINESE = re.compile("[一-鿿]")


@pytest.fixture
def signals(tmp_path):
    """An output_data.json of 36 samples, which fit to `pairs_file`'s, and 4 observations."""
    probs = np.random.default_rng(3).dirichlet([1, 1], (4, 36)).astype(np.float32).astype(float).tolist()
    records = [[tutorial_record(n, int(n % 2 == 0), row[n]) for n in range(36)] for row in probs]
    return write(tmp_path / "outputs" / "output_data.json", text_of(records))


@pytest.fixture
def imported(command, signals, pairs_file):
    """Import the signals with their texts: imported("lang=zh") → (the run's id, what was printed)."""

    def run(*arguments):
        outcome = command("import_signals", f"path={signals}", f"texts={pairs_file}", *arguments)
        assert (outcome.code, outcome.err) == (0, "")
        return re.search("[0-9a-f]{32}", outcome.out)[0], outcome.out

    return run


def note(client, run_id):
    return client.get_run(run_id).data.tags.get(NOTE_TAG, "")


def english(printed):
    """Lines of ours without a Chinese character: neither samples nor tables of numbers."""
    lines = [line for line in printed.splitlines() if line.strip() and not re.match(r"  [01]\.\d{3}  ", line)]
    return [
        line for line in lines if not CHINESE.search(line) and not re.match(r"\w+ +-?[\d.]+$|\w+ +nan$", line)
    ]


def test_each_command_takes_the_key():
    assert {
        step for step, config in STEPS.items() if "lang" not in {key.name for key in fields(config)}
    } == set()
    manuals = {name: OmegaConf.load(ROOT / "conf" / f"{name}.yaml") for name in STEPS if name != "main"}
    assert {manual.lang for manual in manuals.values()} == {"auto"}


def test_a_run_keeps_its_language_through_all_commands(command, imported, client, monkeypatch):
    monkeypatch.setattr("datamap.log.QUIET_SECONDS", 0)  # every line about work that takes long
    run_id, printed = imported("lang=zh")
    second, _ = imported("lang=zh")
    assert english(printed) == []
    steps = [
        ("summarize", f"run_id={run_id}"), ("plot", f"run_id={run_id}"), ("diagnose", f"run_id={run_id}"),
        ("curate", f"run_id={run_id}", "keep=clean", "share=0.1"), ("compare", f"runs=[{run_id},{second}]"),
        ("export_signals", f"run_id={run_id}"),
    ]  # fmt: skip
    for script, *arguments in steps:
        outcome = command(script, *arguments)
        assert (outcome.code, outcome.err, english(outcome.out)) == (0, "", []), script
        described = note(client, run_id)
        assert script == "export_signals" or CHINESE.search(described) and "Mean confidence" not in described
    assert '<html lang="zh-CN">' in local(client, run_id, "maps/explorer.html").read_text("utf-8")
    frame = pd.read_csv(local(client, run_id, "diagnosis.tsv"), sep="\t")
    assert set(frame["region"]) <= {"易学", "模糊", "难学", "疑似噪声"}
    assert all(CHINESE.search(why) for why in frame["why"])
    others = [run for run in client.search_runs(["1"]) if run.info.run_id not in (run_id, second)]
    assert len(others) == 2 and all(CHINESE.search(note(client, run.info.run_id)) for run in others)
    assert all(run.data.tags[LANG_TAG] == "zh" for run in others)


def test_a_review_of_a_chinese_run_is_chinese(imported, client, capsys):
    run_id, _ = imported("lang=zh")
    run = Store().run(run_id)
    run.speak()
    found = review.review_of(run, defaults("review", run_id=run_id))
    assert found.about.lang == "zh"
    assert found.estimate().advice.startswith("再审核")
    assert set(found.samples.regions.tolist()) == {
        ("易学", "模糊", "难学", "疑似噪声").index(name)
        for name in pd.read_csv(local(client, run_id, "diagnosis.tsv"), sep="\t")["region"]
    }
    assert english(capsys.readouterr().out) == []
    with pytest.raises(UnknownSampleError, match="^没有 id 为 nobody 的内容$"):
        found.find("nobody")
    run.speak("en")
    other = review.review_of(run, defaults("review", run_id=run_id))
    for row in range(36):
        assert CHINESE.search(found.sample(row, "me")["why"]) and not CHINESE.search(
            other.sample(row, "me")["why"]
        )
        assert retold(other.sample(row, "me")["why"], "zh") == found.sample(row, "me")["why"]


@pytest.mark.parametrize(
    "why", ["", "；；", "I looked at it", "right in 1 of 5 observations; and I looked at it"]
)
def test_reasons_of_people_stay_as_they_are(why):
    assert retold(why, "zh") == retold(why, "en") == why


def test_the_environment_says_the_language_where_nothing_else_does(command, imported, client, monkeypatch):
    english_run, printed = imported()
    assert not CHINESE.search(printed)
    assert LANG_TAG not in client.get_run(english_run).data.tags
    monkeypatch.setenv("DATAMAP_LANG", "zh")
    run_id, printed = imported()
    assert english(printed) == []
    assert english(command("summarize", f"run_id={english_run}").out) == []
    monkeypatch.delenv("DATAMAP_LANG")
    assert english(command("summarize", f"run_id={run_id}").out) == []
    assert CHINESE.search(note(client, run_id)) and CHINESE.search(note(client, english_run))


def test_what_is_asked_for_comes_first_and_is_kept(command, imported, client):
    run_id, _ = imported("lang=zh")
    with reading_store(defaults("summarize", run_id=run_id, lang="en")):
        assert spoken() == "en"  # also before the run is read
    outcome = command("summarize", f"run_id={run_id}", "lang=en")
    assert outcome.code == 0 and not CHINESE.search(outcome.out + note(client, run_id))
    assert not CHINESE.search(command("plot", f"run_id={run_id}").out + note(client, run_id))


@pytest.mark.parametrize(
    ("argument", "variable", "what"),
    [
        ("lang=fr", "", "lang=fr: choose auto or en or zh"),
        ("", "fr", "DATAMAP_LANG='fr': choose en or zh"),
    ],
)
def test_another_language_is_refused(command, signals, monkeypatch, argument, variable, what):
    monkeypatch.setenv("DATAMAP_LANG", variable)
    outcome = command("import_signals", f"path={signals}", *([argument] if argument else []))
    assert (outcome.code, outcome.err) == (2, f"error: {what}\n")


def test_notebooks_and_recorders_speak_the_run_s_language(imported, monkeypatch, capsys):
    run_id, _ = imported("lang=zh")
    capsys.readouterr()
    datamap.summarize(run_id)
    run = datamap.load_run(run_id)
    assert '<html lang="zh-CN">' in run.explorer().content.decode()
    assert '<html lang="en">' in run.explorer(lang="en").content.decode()
    monkeypatch.setenv("DATAMAP_LANG", "zh")
    mlflow.set_experiment("datamap")
    with datamap.SignalRecorder(class_names=["no", "yes"]) as recorder:
        recorder.record([1, 2], [0, 1], probs=[[0.5, 0.5], [0.4, 0.6]])
        recorder.commit(1)
    assert english(capsys.readouterr().out) == []
