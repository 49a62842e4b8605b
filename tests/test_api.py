"""What notebooks call: `datamap.summary`, `diagnosis`, `explore`, `compare`."""

import html
import re
import sys

import numpy as np
import pytest

import datamap
from conftest import ROOT, artifacts
from datamap.errors import ConfigError, TrackingError
from explored import texts_of


@pytest.fixture
def recorded(store):
    """Ids of two runs, recorded by hand: 40 samples, four observations; every eighth label is wrong."""
    made = []
    for seed in (1, 2):
        rng = np.random.default_rng(seed)
        labels = np.arange(40) // 2 % 2  # which the numbers in the texts do not give away
        truth = np.where(np.arange(40) % 8 == 0, 1 - labels, labels)
        samples = {"id": range(40), "text_a": [f"text {i}" for i in range(40)], "label": labels}
        with datamap.SignalRecorder(["no", "yes"], samples, run_name=f"seed {seed}") as recorder:
            for epoch in range(1, 5):
                logits = rng.normal(0, 0.3, (40, 2))
                logits[np.arange(40), truth] += epoch
                recorder.record(range(40), labels, logits=logits)
                recorder.commit(epoch)
        made.append(recorder.run_id)
    return made


def test_the_summary_of_a_run_made_first_where_it_has_none(recorded, client):
    frame = datamap.summary()
    assert list(frame.columns[:6]) == [
        "id",
        "label",
        "s_label",
        "correct_times",
        "correct_ratio",
        "avg_probs",
    ]
    assert (frame["id"] == np.arange(40)).all()
    assert set(frame.nsmallest(5, "avg_probs")["id"]) == {0, 8, 16, 24, 32}
    assert "summary.tsv" in artifacts(client, recorded[1])  # "latest"
    assert "summary.tsv" not in artifacts(client, recorded[0])
    assert datamap.summary(recorded[1]).equals(frame)


def test_the_diagnosis_of_a_run_joins_its_summary(recorded, client):
    frame = datamap.diagnosis(recorded[0])
    columns = ["text_a", "label", "proposed", "why", "score", "region", "variability", "id"]
    assert list(frame.columns) == columns
    assert set(frame["id"][:5]) == {0, 8, 16, 24, 32}
    assert (frame["label"][:5] != frame["proposed"][:5]).all()
    assert frame["score"].is_monotonic_decreasing
    joined = datamap.summary(recorded[0]).merge(frame, on="id", suffixes=("", "_name"))
    assert len(joined) == 40
    assert (joined["label_name"] == np.where(joined["label"], "yes", "no")).all()
    assert "diagnosis.tsv" in artifacts(client, recorded[0])


def test_the_explorer_in_a_notebook(recorded, client, tmp_path):
    page = datamap.explore(recorded[0], height=500, lang="zh")
    shown = page._repr_html_()
    assert 'height="500"' in shown
    assert html.unescape(re.search('srcdoc="([^"]*)"', shown)[1]) == page.content.decode()
    assert page.save(tmp_path / "map.html").read_bytes() == page.content
    assert "text 39" in texts_of(tmp_path / "map.html")["text_a"]
    assert "maps/explorer.html" not in artifacts(client, recorded[0])


def test_how_far_runs_agree(recorded, client):
    (row,) = datamap.compare(recorded, share=0.125).to_dict("records")
    assert (row["run_a"], row["run_b"]) == ("seed 1", "seed 2")
    assert row["jaccard_hardest"] == 1
    assert -1 <= row["spearman_label_var"] < row["spearman_avg_probs"] <= 1
    runs = client.search_runs([client.get_experiment_by_name("datamap").experiment_id])
    assert len(runs) == 2  # none was made


def test_mistakes(recorded, monkeypatch):
    with pytest.raises(TrackingError, match="run 'nowhere' is not in sqlite:"):
        datamap.summary("nowhere")
    with (
        monkeypatch.context() as changed,
        pytest.raises(TrackingError, match="'another' of .* has no run with signals"),
    ):
        changed.setenv("MLFLOW_EXPERIMENT_NAME", "another")
        datamap.diagnosis()
    for run_ids in (recorded[0], recorded[:1], [recorded[0], recorded[0]]):
        with pytest.raises(ConfigError, match="give the ids of two runs or more"):
            datamap.compare(run_ids)
    with pytest.raises(ConfigError, match="share=0 is out of range"):
        datamap.compare(recorded, share=0)
    with pytest.raises(AttributeError, match="module 'datamap' has no attribute 'nothing'"):
        datamap.nothing  # noqa: B018


def test_within_an_application_of_the_users_that_is_made_with_hydra(recorded, tmp_path):
    import hydra
    from hydra.core.global_hydra import GlobalHydra

    (tmp_path / "theirs.yaml").write_text("lr: 0.1\n")
    with hydra.initialize_config_dir(str(tmp_path), version_base="1.3"):
        assert len(datamap.summary(recorded[0])) == 40
        assert GlobalHydra.instance().is_initialized()
        assert hydra.compose("theirs").lr == 0.1


def test_all_that_is_public_is_there_and_nothing_heavy_is_imported_for_it(shell):
    assert set(datamap.__all__) <= set(dir(datamap))
    assert all(getattr(datamap, name).__doc__ for name in datamap.__all__)
    code = "import datamap, sys; print([m for m in ('mlflow', 'matplotlib', 'pandas', 'hydra') if m in sys.modules])"
    assert shell([sys.executable, "-c", code], PYTHONPATH=str(ROOT / "src")).out == "[]\n"
