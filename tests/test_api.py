"""The API: load what a run holds, or call a step that logs into it."""

import doctest
import html
import io
import re
import sys

import mlflow
import numpy as np
import pytest

import datamap
from conftest import ROOT, artifacts
from datamap.callbacks import autolog
from datamap.errors import ConfigError, SummaryError, TrackingError
from datamap.recording import recorder
from explored import texts_of

PUBLIC = [
    "ConfigError", "DataError", "DataMapError", "LoadedRun", "MapError", "MapOptions", "ModelError", "RunLostError",
    "SignalError", "SignalRecorder", "SummaryError", "TrackingError", "TrainingError", "autolog", "compare", "curate",
    "diagnose", "draw_map", "load_run", "plot", "summarize",
]  # fmt: skip


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


def test_loading_logs_nothing_and_prints_nothing(recorded, client, capsys):
    capsys.readouterr()
    run = datamap.load_run(recorded[0])
    assert (run.run_id, run.name, run.class_names) == (recorded[0], "seed 1", ("no", "yes"))
    for read in (run.summary, run.explorer, run.map):
        with pytest.raises(SummaryError, match=rf"no summary.tsv; make it: .* run_id={recorded[0]}"):
            read()
    with pytest.raises(SummaryError, match=r"no diagnosis.tsv; make it: "):
        run.diagnosis()
    assert run.decisions().empty
    assert {path.partition("/")[0] for path in artifacts(client, recorded[0])} == {
        "data",
        "labels.json",
        "signals",
    }
    assert capsys.readouterr() == ("", "")


def test_the_examples_of_the_api_are_true(recorded, caplog):
    caplog.set_level("WARNING", "datamap")
    datamap.diagnose()
    names = {"datamap": datamap, "other": datamap.load_run(recorded[0])}
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    shown = io.StringIO()
    for module in (datamap.api, recorder, autolog):  # those of the recorder make newer runs
        for example in doctest.DocTestFinder().find(module, globs=names):
            runner.run(example, out=shown.write)
    assert not shown.getvalue()


def test_all_that_is_public_has_an_example():
    """But not the kinds of errors."""
    kinds = [value for name in PUBLIC if not name.endswith("Error") and (value := getattr(datamap, name))]
    methods = [
        method
        for kind in (*kinds, datamap.api.ExplorerPage)
        if isinstance(kind, type)
        for name, method in vars(kind).items()
        if callable(method) and not name.startswith("_") and name != "fail"  # which callbacks call
    ]
    assert [thing.__qualname__ for thing in (*kinds, *methods) if ">>>" not in thing.__doc__] == []


def test_summarize_logs_the_summary_and_returns_it(recorded, client):
    frame = datamap.summarize()
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
    assert datamap.load_run(recorded[1]).summary().equals(frame)
    frame.loc[frame["id"] == 0, ["avg_probs", "correct_times"]] = 0  # Arrow's own memory is read-only
    assert len(datamap.summarize(recorded[1], burn_in=3)["correct_times"].unique()) <= 3


def test_labels_are_the_same_in_every_table(recorded, client):
    frame = datamap.diagnose(recorded[0])
    columns = ["score", "label", "proposed", "text_a", "why", "evidence", "region", "variability", "id"]
    assert list(frame.columns) == columns
    assert set(frame["id"][:5]) == {0, 8, 16, 24, 32}
    assert (frame["label"][:5] != frame["proposed"][:5]).all()
    assert frame["score"].is_monotonic_decreasing and frame["variability"].between(0, 0.5).all()
    joined = datamap.load_run(recorded[0]).summary().merge(frame, on="id", suffixes=("", "_diagnosed"))
    assert len(joined) == 40 and (joined["label"] == joined["label_diagnosed"]).all()
    assert list(joined["label"].cat.categories) == ["no", "yes"]
    assert "diagnosis.tsv" in artifacts(client, recorded[0])


def test_a_diagnosis_of_another_score_or_summary_is_not_returned(recorded):
    datamap.diagnose(recorded[0], score="confidence")
    run = datamap.load_run(recorded[0])
    assert run.diagnosis().equals(run.diagnosis(score="confidence"))
    with pytest.raises(
        ConfigError, match="the run has a diagnosis by score=confidence; regenerate it: .* score=aum"
    ):
        run.diagnosis(score="aum")
    with pytest.raises(ConfigError, match="score='ama': no such score; choose combined or .* aum"):
        run.diagnosis(score="ama")
    with pytest.raises(ConfigError, match="no such score; choose combined"):
        run.diagnosis(score=np.array(["aum", "combined"]))
    datamap.summarize(recorded[0])  # again, with the same result
    assert len(run.diagnosis()) == 40
    datamap.summarize(recorded[0], burn_in=2)
    with pytest.raises(
        SummaryError, match="its summary is newer than its diagnosis; regenerate it: .* score=confidence"
    ):
        run.diagnosis()


def test_the_explorer_in_a_notebook(recorded, client, tmp_path):
    datamap.summarize(recorded[0])
    page = datamap.load_run(recorded[0]).explorer(height=np.int64(500), lang="zh")
    assert repr(page) == f"<explorer page of {len(page.content):,} bytes; save(path) writes it>"
    with pytest.raises(ConfigError, match="height=500.0: give a whole number of pixels"):
        datamap.load_run(recorded[0]).explorer(height=500.0)
    shown = page._repr_html_()
    assert 'height="500"' in shown
    assert html.unescape(re.search('srcdoc="([^"]*)"', shown)[1]) == page.content.decode()
    assert page.save(tmp_path / "map.html").read_bytes() == page.content
    for path in (tmp_path, "no/such/folder.html", "a\0b.html"):
        with pytest.raises(datamap.DataMapError, match="path="):
            page.save(path)
    assert "text 39" in texts_of(tmp_path / "map.html")["text_a"]
    assert "maps/explorer.html" not in artifacts(client, recorded[0])


def test_maps_name_the_classes(recorded, client):
    logged = datamap.plot(recorded[0], color="label", explorer=False, name="classes")
    assert {"no", "yes"} <= {text.get_text().partition(" (")[0] for text in texts_on(logged)}
    drawn = datamap.load_run(recorded[0]).map(datamap.MapOptions(color="label"))
    by_hand = datamap.draw_map(
        datamap.load_run(recorded[0]).summary(), color="label", title="seed 1", observations=4
    )
    assert [t.get_text() for t in texts_on(drawn)] == [t.get_text() for t in texts_on(by_hand)]
    assert "maps/classes.png" in artifacts(client, recorded[0])


def texts_on(figure):
    """All texts that lie on a figure, those of legends too."""
    from matplotlib.text import Text

    return [text for text in figure.findobj(Text) if text.get_text()]


def test_curate_returns_the_new_run(recorded, client):
    datamap.diagnose(recorded[0])
    curated = datamap.curate(recorded[0], keep="clean", share=0.125)
    assert curated.run_id not in recorded
    assert "curated.tsv" in artifacts(client, curated.run_id)
    ids = datamap.load_run(recorded[0]).summary()["id"][:6]
    for given in (ids, ids.to_numpy(), [*ids.to_numpy()], ids.tolist()):
        assert datamap.curate(recorded[0], keep="matching", ids=given).run_id != curated.run_id
    with pytest.raises(ConfigError, match="^ids: Value 'object' is not a supported primitive type"):
        datamap.curate(recorded[0], keep="matching", ids=object())


def test_compare_logs_how_far_runs_agree(recorded, client):
    (row,) = datamap.compare(recorded, share=0.125).to_dict("records")
    assert (row["run_a"], row["run_b"]) == ("seed 1", "seed 2")
    assert row["jaccard_hardest"] == 1
    assert -1 <= row["spearman_label_var"] < row["spearman_avg_probs"] <= 1
    (logged,) = client.search_runs(
        [client.get_experiment_by_name("datamap").experiment_id], "tags.`datamap.compared` != ''"
    )
    assert logged.data.metrics["pairwise/jaccard_hardest"] == 1


def test_mistakes(recorded, monkeypatch):
    with pytest.raises(TrackingError, match="run 'nowhere' is not in sqlite:"):
        datamap.load_run("nowhere")
    with pytest.raises(ConfigError, match="tracking_uri=3: give a text"):
        datamap.load_run(recorded[0], tracking_uri=3)
    with (
        monkeypatch.context() as changed,
        pytest.raises(TrackingError, match="'another' of .* has no run with signals"),
    ):
        changed.setenv("MLFLOW_EXPERIMENT_NAME", "another")
        datamap.diagnose()
    for run_ids in (recorded[0], recorded[:1], [recorded[0], recorded[0]]):
        with pytest.raises(ConfigError, match="give the ids of two runs or more"):
            datamap.compare(run_ids)
    with pytest.raises(ConfigError, match="1 run with signals found, but a comparison needs two"):
        datamap.compare(["latest", recorded[1]])
    with pytest.raises(ConfigError, match="share=0"):
        datamap.compare(recorded, share=0)
    with pytest.raises(
        ConfigError, match=r"^regions='quantile': it holds keys; give regions.by=, or regions={by: …}$"
    ):
        datamap.diagnose(recorded[0], regions="quantile")
    with pytest.raises(ConfigError, match="keep=clen: choose"):
        datamap.curate(recorded[0], keep="clen")
    with pytest.raises(AttributeError, match="module 'datamap' has no attribute 'nothing'"):
        datamap.nothing  # noqa: B018


def test_another_store_is_named_for_one_call(recorded, tmp_path, monkeypatch):
    here = mlflow.get_tracking_uri()
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri("sqlite:///elsewhere.db")
    assert len(datamap.summarize(recorded[0], tracking_uri=here)) == 40
    assert datamap.load_run(recorded[0], here).name == "seed 1"
    mlflow.set_experiment("elsewhere's")  # whose id, of MLflow's own store, may be another one's there
    assert datamap.load_run(tracking_uri=here).run_id == recorded[1]
    keys = {"tracking_uri": here, "tracking.experiment": "another"}
    with pytest.raises(TrackingError, match="latest: experiment 'another' of .* has no run with signals"):
        datamap.plot(**keys)
    with mlflow.start_run() as theirs, datamap.SignalRecorder(tracking_uri=here) as recorder:
        assert recorder.run_id != theirs.info.run_id
    assert not mlflow.get_run(theirs.info.run_id).data.tags.keys() & {"datamap.task"}
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "77")
    with pytest.raises(TrackingError, match="experiment 77 in .*: No Experiment with id=77 exists"):
        datamap.load_run(tracking_uri=here)


def test_former_names_still_work(recorded):
    with pytest.deprecated_call(match=r"datamap.summary is deprecated; use datamap.summarize"):
        frame = datamap.summary(recorded[0])
    assert frame["label"].tolist() == (np.arange(40) // 2 % 2).tolist()  # class indices, as ever
    with pytest.deprecated_call():
        assert set(datamap.diagnosis(recorded[0])["label"]) == {"no", "yes"}
    with pytest.deprecated_call():
        assert b"<html" in datamap.explore(recorded[1]).content


def test_a_recorder_takes_its_store_its_retries_and_its_shards(store, tmp_path, client):
    uri = f"sqlite:///{tmp_path}/own.db"
    options = {
        "tracking_uri": uri,
        "retry_seconds": 1,
        "spool": tmp_path / "spool",
        "shard_rows": np.int64(25),
    }
    with datamap.SignalRecorder(samples={"id": range(40), "label": [0, 1] * 20}, **options) as recorder:
        recorder.record(range(40), [0, 1] * 20, probs=np.full((40, 2), 0.5))
        recorder.commit(1)
    run = datamap.load_run(recorder.run_id, uri)
    signals = run._run.files("signals")
    assert sum(name.endswith(".jsonl") for name in signals) == 2
    for wrong in ({"retry_seconds": -1}, {"shard_rows": 0}, {"shard_rows": "many"}, {"shard_rows": 1.5}):
        with pytest.raises(ConfigError, match=f"{next(iter(wrong))}=.* is out of range"):
            datamap.SignalRecorder(**wrong)


def test_within_an_application_of_the_users_that_is_made_with_hydra(recorded, tmp_path):
    import hydra
    from hydra.core.global_hydra import GlobalHydra

    (tmp_path / "theirs.yaml").write_text("lr: 0.1\n")
    with hydra.initialize_config_dir(str(tmp_path), version_base="1.3"):
        assert len(datamap.summarize(recorded[0])) == 40
        assert GlobalHydra.instance().is_initialized()
        assert hydra.compose("theirs").lr == 0.1


def test_all_that_is_public_is_there_and_nothing_heavy_is_imported_for_it(shell):
    assert datamap.__all__ == sorted(datamap.__all__) == PUBLIC
    assert {name for name in dir(datamap) if not name.startswith("__")} == set(PUBLIC)
    assert all(getattr(datamap, name).__doc__ for name in datamap.__all__)
    code = "import datamap, sys; print([m for m in ('mlflow', 'matplotlib', 'pandas', 'hydra') if m in sys.modules])"
    assert shell([sys.executable, "-c", code], PYTHONPATH=str(ROOT / "src")).out == "[]\n"


def test_a_misspelled_key_is_named_with_the_right_one(recorded):
    with pytest.raises(ConfigError, match="^criteron: no such key; did you mean criterion\\?$"):
        datamap.plot(recorded[0], criteron="forgetting_times")
