"""plot, summarize and compare on runs that a recorder made: which observations, whose names, what is refused."""

import hashlib
import json
import re

import numpy as np
import pytest

from conftest import artifacts, local
from datamap import SignalRecorder
from datamap.tracking.artifacts import Artifacts
from explored import unpacked_json
from reference import auroc, average_precision, spearman

CLASSES = ("normal", "$x_{$", "_c", "<b>", "other", "f", "g", "h")


@pytest.fixture
def record(store):
    """Make a run of 48 samples in eight classes: record("name", epochs=3, ids=…) → its id."""

    def make(name, epochs=3, ids=range(48), seed=0, noisy=None):
        random = np.random.default_rng(seed)
        ids, labels = list(ids), np.arange(48) % 8
        with SignalRecorder(run_name=name, class_names=CLASSES) as recorder:
            for epoch in range(1, epochs + 1):
                recorder.record(ids, labels, probs=random.dirichlet(np.ones(8), 48), noisy_labels=noisy)
                recorder.commit(epoch)
        return recorder.run_id

    return make


def page_of(client, run_id):
    html = local(client, run_id, "maps/explorer.html").read_text(encoding="utf-8")
    return json.loads(re.search(r'id="data">(.*?)</script>', html, re.DOTALL).group(1))


def refused(outcome, message):
    assert (outcome.code, outcome.err.count("\n")) == (2, 1), outcome.err + outcome.out
    assert re.search(message, outcome.err), outcome.err


def test_which_observations_a_summary_is_over_is_data(record, command, client):
    """Not what the config for people says; nor what has come since."""
    run_id = record("run", epochs=4)
    assert command("summarize", f"run_id={run_id}", "burn_in=1", "until=3").code == 0
    assert json.loads(local(client, run_id, "summary.json").read_text()) == {
        "observations": [2, 3],
        "newest": 4,
        "allow_missing": False,
        "sha256": hashlib.sha256(local(client, run_id, "summary.tsv").read_bytes()).hexdigest(),
    }
    local(client, run_id, "config/summarize.yaml").write_text("until: ${oc.env:HOME}\nburn_in: [")
    outcome = command("plot", f"run_id={run_id}")
    assert outcome.code == 0, outcome.err
    assert "regenerate" not in outcome.out  # nothing has come since: the choice stands
    assert page_of(client, run_id)["numbers"] == [2, 3]


@pytest.mark.parametrize("content", [None, "", '{"observations": [1], "allow_missing": false}'], ids=str)
def test_a_summary_that_does_not_say_what_it_is_over_is_to_be_renewed(record, command, client, content):
    run_id = record("run")
    assert command("summarize", f"run_id={run_id}").code == 0
    file = local(client, run_id, "summary.json")
    file.unlink() if content is None else file.write_text(content)
    message = r"summary\.json.* is (missing|not what was logged).*; regenerate (it|both): .*summarize"
    refused(command("plot", f"run_id={run_id}"), message)
    assert command("summarize", f"run_id={run_id}").code == 0
    assert command("plot", f"run_id={run_id}").code == 0


def test_a_summary_that_was_interrupted_while_it_was_renewed_is_not_mixed_up(record, command, monkeypatch):
    run_id = record("run")
    assert command("summarize", f"run_id={run_id}").code == 0
    write = Artifacts.write

    def stop(self, files):
        write(self, {path: file for path, file in files.items() if path != "summary.tsv"})
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Artifacts, "write", stop)
        assert command("summarize", f"run_id={run_id}", "until=2").code == 130
    refused(command("plot", f"run_id={run_id}"), "not of the same summary .*; regenerate both: .*summarize")
    assert command("summarize", f"run_id={run_id}").code == 0
    assert command("plot", f"run_id={run_id}").code == 0


def test_a_summary_that_was_edited_is_named(record, command, client):
    run_id = record("run")
    assert command("summarize", f"run_id={run_id}").code == 0
    file = local(client, run_id, "summary.tsv")
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:20]))
    refused(
        command("plot", f"run_id={run_id}"),
        r"summary\.tsv is not what was logged .*regenerate it: .*summarize",
    )


def test_a_run_that_is_still_running_is_named(record, command, client):
    run_id = record("run")
    client.update_run(run_id, status="RUNNING")
    note = f"note: run {run_id} is still running (or was killed): 3 observations so far"
    for step in ("summarize", "plot"):
        assert command(step, "run_id=latest").out.count(note) == 1
    client.set_terminated(run_id)
    assert "still running" not in command("plot", "run_id=latest").out


@pytest.mark.parametrize("options", [(), ("color=label", "lang=zh"), ("facet=label", "svg=true")])
def test_names_of_runs_and_classes_are_drawn_as_they_are(record, command, client, options):
    run_id = record("$\\frac{$ </script>\u2028 x](javascript:1)")
    outcome = command("plot", f"run_id={run_id}", *options)
    assert outcome.code == 0, outcome.err
    found = page_of(client, run_id)
    assert found["title"] == "$\\frac{$ </script>\u2028 x](javascript:1)"
    assert found["classes"] == list(CLASSES)
    # As on the map: the rarest of eight classes share a color, and no user's word is translated.
    names = [rule["name"] for rule in found["groupings"]["label"]]
    assert names[-2:] == (["其他", "无数值"] if "lang=zh" in options else ["other", "no value"])
    assert set(names[:-2]) < set(CLASSES)


@pytest.mark.parametrize(
    "ids", [range(2**53, 2**53 + 48), [f"sample {n}" for n in range(48)]], ids=["ints", "texts"]
)
def test_ids_reach_the_page_as_they_are(record, command, client, ids):
    run_id = record("run", ids=ids)
    assert command("plot", f"run_id={run_id}").code == 0
    assert unpacked_json(page_of(client, run_id)["ids"]["texts"]) == [str(i) for i in ids]


MISTAKES = {
    (
        "width=40",
        "height=40",
        "dpi=1200",
    ): r"40 × 40 inches with dpi=1200 make 2,304 million pixels.*dpi=193 or less",
    ("x=text",): "x=text is not a numeric column",
    ("facet=avg_probs",): "facet=avg_probs has 48 values, and a picture holds at most 12 maps",
    ("facet=id",): "facet=id has 48 values",
    ("x=置信度",): "x=置信度 is not a numeric column",
    ("criterion=avg..probs",): "criterion=avg..probs is not a numeric column",
    ("color=constructor",): "color=constructor is not a numeric column",
    ("threshold=2",): "threshold=2 is for criterion=<column>; give both, or leave it out",
    ("use_f_times=0", "color=label"): "use_f_times and color both choose the colors",
    ("name=../x",): "a map's name is made of",
    ("name=a//b",): "a map's name is made of",
    ("name=a/",): "a map's name is made of",
    (f"name={'a' * 121}",): "name='aaa.*: a map's name has at most 120 letters; give a shorter one",
}


def test_what_draws_everything_or_one_color_says_so(small_run, command):
    out = command("plot", f"run_id={small_run}", "criterion=forgetting_times", "explorer=false").out
    assert (
        "note: every sample has forgetting_times ≥ 0, so the map shows all; give a larger threshold=" in out
    )
    out = command("plot", f"run_id={small_run}", "dirty_label=true", "explorer=false").out
    assert "note: no sample is known to be planted" in out
    out = command("plot", f"run_id={small_run}", "criterion=avg_probs", "threshold=0.5", "explorer=false").out
    assert "note: " not in out


def test_mistakes_draw_nothing(record, command, client):
    run_id = record("run")
    for options, message in MISTAKES.items():
        refused(command("plot", f"run_id={run_id}", *options), message)
    assert not [path for path in artifacts(client, run_id) if path.startswith(("maps", "images"))]


def test_the_longest_name_is_drawn_and_main_refuses_a_longer_one_before_it_trains(record, command, client):
    run_id, name = record("run"), "a" * 120
    assert command("plot", f"run_id={run_id}", "explorer=false", f"name={name}").code == 0
    assert f"maps/{name}.png" in artifacts(client, run_id)
    refused(command("main", f"plot.name={name}a"), "plot: name='aaa.*at most 120 letters")
    refused(
        command("main", "maps=[{threshold: 2}]"), r"plot, maps\[0\]: threshold=2 is for criterion=<column>"
    )


def test_the_id_is_an_axis_where_it_is_a_number(record, command, client):
    numbers, texts = record("numbers"), record("texts", ids=[f"s{n}" for n in range(48)])
    assert command("plot", f"run_id={numbers}", "x=id", "color=id").code == 0
    refused(command("plot", f"run_id={texts}", "x=id"), "x=id is not a numeric column")
    refused(command("plot", f"run_id={texts}", "criterion=id"), "criterion=id is not a numeric column")


NO_RUNS = ("5", "null", "{a: b}", "[]", "name = ", "''", "params.x == '", "[latest,latest]", "[[a],{b: c}]")


def test_runs_that_are_no_runs(record, command):
    record("run")
    for runs in NO_RUNS:
        refused(command("compare", f"runs={runs}"), "runs")


def test_a_comparison_that_cannot_be_drawn_makes_no_run(record, command, client):
    ids = [record("run", seed=seed) for seed in (1, 2)]
    runs = f"runs=[{','.join(ids)}]"
    refused(command("compare", runs, "x=text"), "x=text is not a numeric column")
    refused(
        command("compare", f"runs=[latest,{ids[1]}]"), "1 run with signals found, but a comparison needs two"
    )
    assert len(client.search_runs(["1"])) == 2


def test_a_comparison_of_runs_with_odd_names(record, command, client):
    name = "x](javascript:alert(1)) ![p](http://a.example/b)\t$\\frac{$"
    ids = [record(name, seed=seed) for seed in (1, 2)]
    outcome = command("compare", f"runs=[{','.join(ids)}]", "share=0.5")
    assert outcome.code == 0, outcome.err
    (run,) = client.search_runs(["1"], "tags.`datamap.compared` != ''")
    note = run.data.tags["mlflow.note.content"]
    assert not re.search(r"(?<!\\)\]\((javascript|http)", note) and not re.search(r"(?<!\\)!\[", note)
    summaries = [
        np.genfromtxt(local(client, i, "summary.tsv"), names=True, delimiter="\t", usecols=["avg_probs"])
        for i in ids
    ]
    expected = spearman(*(summary["avg_probs"].tolist() for summary in summaries))
    assert run.data.metrics["pairwise/spearman_avg_probs"] == pytest.approx(expected)


def test_a_diagnosis_measures_what_it_finds(record, command, client):
    run_id = record("run", noisy=np.where(np.arange(48) < 9, 2, 0))
    assert command("diagnose", f"run_id={run_id}").code == 0
    header, *lines = local(client, run_id, "diagnosis.tsv").read_text().splitlines()
    place = header.split("\t").index("id")
    dirty = [int(line.split("\t")[place]) < 9 for line in lines]
    metrics, ranks = client.get_run(run_id).data.metrics, range(len(lines), 0, -1)
    assert metrics["mislabelled/average_precision"] == pytest.approx(average_precision(ranks, dirty))
    assert metrics["mislabelled/auroc"] == pytest.approx(auroc(ranks, dirty))
