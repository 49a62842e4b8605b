"""Agreement of runs, and src/compare.py on real runs."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import reference
from conftest import SMALL_MODEL
from datamap.errors import SummaryError
from datamap.summaries import comparison


def frame(probs, ids=None):
    probs = np.asarray(probs, float)
    count = len(probs)
    return pd.DataFrame(
        {
            "id": range(count) if ids is None else ids,
            "label": 0,
            "s_label": 0,
            "avg_probs": probs,
            "label_var": probs / 4,
            "forgetting_times": (probs * 3).astype(int),
        }
    )


def test_spearman_is_the_correlation_of_ranks():
    random = np.random.default_rng(0)
    a, b = random.integers(0, 5, 200), random.random(200)
    assert comparison.spearman(a, b) == pytest.approx(reference.spearman(a, b))
    assert np.isnan(comparison.spearman(a, np.ones(200)))


def test_runs_are_aligned_by_id():
    found = comparison.align_summaries(
        {"a": frame([0.1, 0.2, 0.3], [1, 2, 3]), "b": frame([0.5, 0.6], [3, 2])}
    )
    assert found["a"]["id"].tolist() == found["b"]["id"].tolist() == [2, 3]
    assert found["b"]["avg_probs"].tolist() == [0.6, 0.5]
    with pytest.raises(SummaryError, match="have no id in common"):
        comparison.align_summaries({"a": frame([0.1], [1]), "b": frame([0.1], [2])})
    with pytest.raises(SummaryError, match="have one id in common"):
        comparison.align_summaries({"a": frame([0.1, 0.2], [1, 3]), "b": frame([0.1], [3])})


def test_agreement_of_a_run_with_itself_and_with_its_opposite():
    probs = np.linspace(0, 1, 50)
    found = comparison.agreement({"a": frame(probs), "same": frame(probs), "not": frame(1 - probs)}, 0.1)
    assert found[["run_a", "run_b"]].values.tolist() == [["a", "same"], ["a", "not"], ["same", "not"]]
    assert found["spearman_avg_probs"].tolist() == pytest.approx([1, -1, -1])
    assert found["jaccard_hardest"].tolist() == [1, 0, 0]


def test_a_run_that_learned_little_is_known():
    labels = [0, 0, 0, 1, 1, 1]
    for right, little in ((0.5, True), (0.54, True), (0.56, False), (1, False)):
        frame = pd.DataFrame({"label": labels, "correct_ratio": [right] * 6})
        assert comparison.learned_little(frame) == little


def test_always_hard_is_hard_in_every_run():
    runs = {"a": frame([0.1, 0.2, 0.3, 0.9]), "b": frame([0.8, 0.1, 0.2, 0.9])}
    hard = comparison.always_hard(runs, 0.5)
    assert hard["id"].tolist() == [1]
    assert hard.filter(like="avg_probs").values.tolist() == [[pytest.approx(0.15), 0.2, 0.1]]


@pytest.fixture
def client(store):
    from mlflow import MlflowClient

    return MlflowClient()


@pytest.fixture
def two_runs(trained):
    """Ids of two runs of the same samples, named one and two."""
    outputs = trained(["seed=1", "tracking.run_name=one"], ["seed=2", "tracking.run_name=two"])
    return [out.split()[1] for out in outputs]


def check_comparison(client, run, members):
    """Check what a comparison's run holds."""
    folder = Path(run.info.artifact_uri)
    assert run.info.status == "FINISHED"
    assert {file.name for file in (folder / "maps").iterdir()} >= {"comparison.png"}
    agreement = pd.read_csv(folder / "comparison" / "agreement.tsv", sep="\t")
    assert len(agreement) == len(members) * (len(members) - 1) // 2
    assert run.data.metrics["pairwise/jaccard_hardest"] == pytest.approx(agreement["jaccard_hardest"].mean())
    hard = pd.read_csv(folder / "comparison" / "always_hard.tsv", sep="\t")
    assert len(hard) == run.data.metrics["pairwise/always_hard"]
    assert hard.columns[:3].tolist() == ["id", "text_a", "text_b"]
    for run_id in members:
        assert f"#/experiments/{run.info.experiment_id}/runs/{run_id}" in run.data.tags["mlflow.note.content"]


@pytest.mark.parametrize("by", ["ids", "filter"])
def test_compare(command, client, two_runs, by):
    runs = f"[{','.join(two_runs)}]" if by == "ids" else "attributes.run_name LIKE '%o%'"
    outcome = command("compare", f"runs={runs}", "share=0.5")
    assert outcome.code == 0, outcome.err
    assert "spearman_avg_probs" in outcome.out
    run = client.search_runs(["1"], "tags.`datamap.compared` != ''")[0]
    assert run.info.run_name == "compare one, two"
    check_comparison(client, run, two_runs)
    assert Path(run.info.artifact_uri, "maps", "movement.png").is_file()
    images = [file.path for file in client.list_artifacts(run.info.run_id, "images")]
    assert {path.split("+")[0] for path in images} == {
        "images/maps~comparison",
        "images/maps~one to two",
    }
    # A comparison is no run with signals: latest is still the newest training.
    assert f"logged into run {two_runs[1]}" in command("plot", "run_id=latest").out


def test_a_correction_says_what_it_changed(command, client, trained):
    source = trained(["seed=1", "tracking.run_name=one"])[0].split()[1]
    assert command("diagnose", f"run_id={source}").code == 0
    run = client.get_run(source)
    rows = pd.read_csv(Path(run.info.artifact_uri, "diagnosis.tsv"), sep="\t", dtype=str)
    other = {name: next(label for label in rows["label"] if label != name) for name in set(rows["label"])}
    edited = (
        rows[["id", "label"]].head(3).assign(label=[other[rows["label"][0]], "drop", other[rows["label"][2]]])
    )
    edited.to_csv("edited.tsv", sep="\t", index=False)
    made = command("curate", f"run_id={source}", "keep=corrected", "corrections=edited.tsv")
    assert made.code == 0, made.err
    curated = re.search(r"runs:/\w+/curated.tsv", made.out)[0]
    data = ("data=file", f"data.path={curated}", f"data.dev_path={curated}")
    again = command("train", *data, *SMALL_MODEL, "tracking.run_name=two")
    assert again.code == 0, again.err
    outcome = command("compare", f"runs=[{again.out.split()[1]},{source}]")
    assert outcome.code == 0, outcome.err
    assert "two was trained on one with 2 labels corrected and 1 sample dropped" in outcome.out
    assert "dev accuracy" not in outcome.out  # the first run has none
    found = client.search_runs(["1"], "tags.`datamap.compared` != ''")[0]
    changes = pd.read_csv(Path(found.info.artifact_uri, "comparison", "changes.tsv"), sep="\t", dtype=str)
    assert changes["change"].tolist()[:3] == ["relabeled", "relabeled", "dropped"]
    assert set(changes["change"][3:]) == {"moved"} and len(changes) == 36
    assert set(changes["id"][:2]) == {rows["id"][0], rows["id"][2]} and changes["id"][2] == rows["id"][1]
    assert (changes["label_before"][:2] != changes["label_after"][:2]).all()
    moved = changes[3:][["avg_probs_before", "avg_probs_after"]].astype(float)
    distance = (moved["avg_probs_after"] - moved["avg_probs_before"]).abs()
    assert distance.is_monotonic_decreasing and distance.iloc[0] > 0
    assert (changes["text_a"].str.len() > 0).all()
    assert found.data.metrics["pairwise/relabeled"] == 2 and found.data.metrics["pairwise/dropped"] == 1


MISTAKES = {
    "runs=[abc]": "give two run ids or more",
    f"runs='{'a' * 32},{'b' * 32}'": "give two run ids or more, as in",
    "runs=params.model = 'none'": "0 runs with signals found, but a comparison needs two",
    "runs=nonsense": "runs=nonsense: ",
    "runs=[abc,def]": "run 'abc' is not in",
}


@pytest.mark.parametrize("runs", MISTAKES)
def test_mistakes(command, store, small_run, runs):
    outcome = command("compare", runs)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1), outcome
    assert MISTAKES[runs] in outcome.err


def test_multirun_makes_a_parent_with_children_maps_and_comparison(command, client, pairs_file):
    options = ("data=file", f"data.path={pairs_file}", *SMALL_MODEL, "trainer.jobs=1", "data.sample=30")
    outcome = command("train", "-m", "seed=1,2", *options, "data.flip_ratio=0.1")
    assert outcome.code == 0, outcome.err
    assert "comparing only" not in outcome.out
    assert "note: seed=1, seed=2 learned too little to tell which samples are hard" in outcome.out
    parent = client.search_runs(["1"], "run_name = 'seed=1,2'")[0]
    children = client.search_runs(["1"], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'")
    assert sorted(run.info.run_name for run in children) == ["seed=1", "seed=2"]
    for run in children:
        names = {file.name for file in Path(run.info.artifact_uri).rglob("*")}
        assert {"summary.tsv", "data_map.png", "explorer.html", "epoch_0003.sha256"} <= names
    # The samples are those of data.seed, not of the seed that differs.
    first, second = (Path(run.info.artifact_uri, "data", "samples.tsv").read_bytes() for run in children)
    assert first == second and first.count(b"\n") == 31
    check_comparison(client, parent, [run.info.run_id for run in children])
    assert not Path("multirun.yaml").exists()


def test_a_multirun_whose_jobs_fail_says_so(command, client):
    outcome = command("train", "-m", "seed=1,2", "data=file", "data.path=nowhere.tsv")
    assert outcome.code == 2
    assert "nowhere.tsv: no such file" in outcome.err
    (parent,) = client.search_runs(["1"])
    assert parent.info.status == "FAILED"
