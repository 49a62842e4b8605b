"""The three steps on a real SQLite store: what a run holds, and what goes wrong with a run."""

import json
import math
import time
from pathlib import Path

import pandas as pd
import pyarrow.json
import pyarrow.parquet
import pytest
from PIL import Image

from conftest import SMALL_MODEL, artifacts, local
from datamap import schema
from datamap.errors import TrackingError
from datamap.signals.baseline import required_accuracy
from datamap.tracking.store import Store
from processes import Process
from reference import auroc, reduce_records


def records(client, run_id):
    paths = [path for path in artifacts(client, run_id, "signals") if path.endswith(".jsonl")]
    return [[json.loads(line) for line in local(client, run_id, p).read_text().splitlines()] for p in paths]


def test_train_logs_what_the_contract_says(small_run, client):
    assert artifacts(client, small_run) == [
        "config/train.overrides.json",
        "config/train.yaml",
        "data/samples.tsv",
        "labels.json",
        *(f"signals/epoch_000{n}{end}" for n in (1, 2, 3) for end in ("-00000-of-00001.jsonl", ".sha256")),
    ]
    run = client.get_run(small_run)
    assert run.info.status == "FINISHED"
    assert json.loads(local(client, small_run, "labels.json").read_text()) == {"0": "0", "1": "1"}
    history = client.get_metric_history(small_run, "signals.rows")
    assert [(m.step, m.value) for m in history] == [(1, 36), (2, 36), (3, 36)]
    assert {"train/loss", "train/accuracy", "time/train_seconds", "time/observe_seconds"} <= set(
        run.data.metrics
    )
    assert run.data.params["epochs"] == "3"
    assert run.data.params["data"] == "file"
    dataset = run.inputs.dataset_inputs[0].dataset
    assert (dataset.name, len(dataset.digest)) == ("pairs", 16)
    assert "mlflow.source.git.commit" in run.data.tags
    for observation in records(client, small_run):
        assert [list(record) for record in observation] == [list(schema.SIGNAL_COLUMNS)] * 36
        assert [record["id"] for record in observation] == list(range(36))


def test_the_experiment_opens_in_the_view_for_training_runs(small_run, client):
    experiment = client.get_experiment(client.get_run(small_run).info.experiment_id)
    assert experiment.name == "datamap"
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"


def test_summary_equals_the_oracle(small_run, client, command):
    outcome = command("summarize", f"run_id={small_run}")
    assert outcome.code == 0, outcome.err
    assert "36 samples over 3 observations" in outcome.out
    summary = pd.read_csv(local(client, small_run, "summary.tsv"), sep="\t")
    assert summary.columns.tolist() == [*schema.SUMMARY_COLUMNS, *schema.FURTHER_COLUMNS]
    expected = reduce_records(records(client, small_run))
    assert summary["id"].tolist() == list(expected)
    for row in summary.to_dict("records"):
        for column, value in expected[row["id"]].items():
            assert math.isclose(row[column], value, rel_tol=1e-9, abs_tol=1e-9), column


def test_parquet_gives_the_same_summary(command, pairs_file, client, store):
    tables = []
    for option in ("jsonl", "parquet"):
        outcome = command("train", "data=file", f"data.path={pairs_file}", *SMALL_MODEL, "seed=3",
                          f"signals.format={option}", "signals.shard_rows=10")  # fmt: skip
        run_id = outcome.out.split()[1]
        assert f"signals/epoch_0003-00003-of-00004.{option}" in artifacts(client, run_id, "signals")
        outcome = command("summarize", f"run_id={run_id}")
        assert outcome.code == 0, outcome.err
        tables.append(pd.read_csv(local(client, run_id, "summary.tsv"), sep="\t"))
    # JSON holds a float32 by its shortest decimal, so that they differ by its rounding at most.
    pd.testing.assert_frame_equal(*tables, rtol=1e-6, atol=1e-7)


def test_a_run_of_both_formats_and_different_shards(small_run, client, command):
    assert command("summarize", f"run_id={small_run}").code == 0
    before = Path(local(client, small_run, "summary.tsv")).read_text()
    file = Path(local(client, small_run, "signals/epoch_0002-00000-of-00001.jsonl"))
    table = pyarrow.json.read_json(file)
    for index, (start, rows) in enumerate([(0, 20), (20, 16)]):
        shard = schema.Shard("epoch", 2, index, 2, "parquet")
        pyarrow.parquet.write_table(table.slice(start, rows), file.parent / Path(shard.path).name)
    file.unlink()
    (file.parent / "epoch_0002.sha256").unlink()  # which lists the shards of before
    outcome = command("summarize", f"run_id={small_run}")
    assert outcome.code == 0, outcome.err
    assert Path(local(client, small_run, "summary.tsv")).read_text() == before


def test_burn_in_until_and_extra(small_run, client, command):
    outcome = command("summarize", f"run_id={small_run}", "burn_in=1", "until=2", "extra={margin: [last]}")
    assert outcome.code == 0, outcome.err
    assert "36 samples over 1 observation" in outcome.out
    summary = pd.read_csv(local(client, small_run, "summary.tsv"), sep="\t")
    probs = [record["probs"] for record in records(client, small_run)[1]]
    labels = summary["label"].tolist()
    expected = [math.log(p[label] / p[1 - label]) for p, label in zip(probs, labels, strict=True)]
    assert summary["margin_last"].tolist() == pytest.approx(expected, abs=1e-6)
    assert "margin_mean" not in summary
    assert set(summary["label_var"]) == {0}


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("burn_in=3", "burn_in=3 and until=None leave none of the observations 1, 2, 3"),
        ("extra={los: [mean]}", "extra: the run has no signal 'los'; did you mean loss? (signals: loss, "),
        (
            "extra={loss: [men]}",
            "extra: signal loss has unknown reduction 'men'; did you mean mean? (",
        ),
        ("extra={loss: mean}", "extra.loss: Value 'mean'"),
    ],
)
def test_options_of_the_summary_are_checked(small_run, command, client, option, message):
    outcome = command("summarize", f"run_id={small_run}", option)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1), outcome.err
    assert message in outcome.err
    assert "summary.tsv" not in artifacts(client, small_run)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ((), "data_map"),
        (("criterion=correct_times", "threshold=0"), "data_map-correct_times_ge_0"),
        (("use_f_times=0",), "forgetting_map"),
        (("use_l_times=0",), "learnt_map"),
        (("dirty_label=true",), "dirty_map"),
        (("x=avg_probs", "y=label_var"), "data_map-x_avg_probs-y_label_var"),
        (("name=mine", "svg=true", "width=4", "height=3", "dpi=100"), "mine"),
    ],
)
def test_plot_logs_file_and_image_series(small_run, client, command, options, name):
    outcome = command("plot", f"run_id={small_run}", *options)
    assert outcome.code == 0, outcome.err
    assert "has no summary.tsv yet: summarizing it first" in outcome.out
    assert f"maps/{name}.png" in outcome.out
    with Image.open(local(client, small_run, f"maps/{name}.png")) as picture:
        assert picture.size == ((400, 300) if "dpi=100" in options else (1152, 864))
    series = [p for p in artifacts(client, small_run, "images") if p.endswith(".png")]
    assert {Path(path).name.split("+timestamp")[0] for path in series} == {f"maps~{name}+step+0"}
    assert ("maps/mine.svg" in artifacts(client, small_run)) == ("svg=true" in options)


def test_a_card_suits_its_page_and_is_enlarged_on_paper(small_run, client, command):
    """MLflow shows the small file on a light or dark card, and lays the large one over its page."""
    assert command("plot", f"run_id={small_run}").code == 0
    for path in artifacts(client, small_run, "images"):
        with Image.open(local(client, small_run, path)) as picture:
            assert picture.has_transparency_data == path.endswith(".webp"), path


def test_latest_takes_the_newest_run_that_has_signals(small_run, client, command):
    experiment = client.get_experiment_by_name("datamap").experiment_id
    time.sleep(0.01)
    client.create_run(experiment)  # newer, but empty
    outcome = command("summarize", "run_id=latest")
    assert outcome.code == 0, outcome.err
    assert "summary.tsv" in artifacts(client, small_run)


def test_latest_says_where_else_there_is_one(small_run, command):
    outcome = command("plot", "run_id=latest", "tracking.experiment=other")
    assert outcome.code == 2
    assert "experiment 'other' of sqlite:///" in outcome.err
    assert f"the newest elsewhere is {small_run} in 'datamap'" in outcome.err


def test_a_deleted_experiment_is_told_with_what_to_do(client, command):
    number = client.create_experiment("mine")
    client.delete_experiment(number)
    with pytest.raises(
        TrackingError, match=f"'mine' was deleted; .* --experiment-id {number}, or set tracking.exp"
    ):
        Store(experiment="mine", create=True).new_run("x").__enter__()
    outcome = command("summarize", "run_id=latest", "tracking.experiment=mine")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "experiment 'mine' was deleted; restore it with: mlflow experiments restore" in outcome.err


def test_latest_says_that_another_experiment_has_a_newer_run(small_run, client, command):
    """After a Hugging Face training with report_to="mlflow" the run lies in experiment 0."""
    newer = client.create_run("0").info.run_id
    client.log_metric(newer, "signals.rows", 3, step=1)
    outcome = command("summarize", "run_id=latest")
    assert outcome.code == 0, outcome.err
    assert f"of experiment 'datamap'; 'Default' has a newer one: {newer}" in outcome.out + outcome.err


@pytest.mark.parametrize("script", ["summarize", "plot"])
@pytest.mark.parametrize("run_id", ["nope", "9e345678901241238901234567890123"])
def test_unknown_run(small_run, command, script, run_id):
    outcome = command(script, f"run_id={run_id}")
    assert outcome.code == 2
    assert f"error: run '{run_id}' is not in sqlite:///" in outcome.err
    assert outcome.err.count("\n") == 1


def test_deleted_run(small_run, client, command):
    client.delete_run(small_run)
    outcome = command("plot", f"run_id={small_run}")
    assert (outcome.code, f"mlflow runs restore --run-id {small_run}" in outcome.err) == (2, True)


def test_run_without_signals(small_run, client, command):
    empty = client.create_run(client.get_experiment_by_name("datamap").experiment_id).info.run_id
    for step in ("summarize", "plot"):
        outcome = command(step, f"run_id={empty}")
        assert (outcome.code, f"run {empty} has no signals; train first" in outcome.err) == (2, True)
        assert "summarizing it first" not in outcome.out
    client.set_tag(empty, "datamap.curated_from", small_run)
    assert f"it holds samples of another run: run_id={small_run}\n" in command("plot", f"run_id={empty}").err


def test_a_filter_that_leaves_nothing_draws_nothing(small_run, client, command):
    outcome = command("plot", f"run_id={small_run}", "criterion=correct_times", "threshold=9")
    assert outcome.code == 2
    assert "no sample has correct_times ≥ 9: the" in outcome.err
    assert not [path for path in artifacts(client, small_run) if path.startswith(("maps", "images"))]


def test_what_was_never_committed_is_left_out_and_named(small_run, client, command):
    folder = local(client, small_run, "signals")
    (folder / "epoch_0004-00000-of-00001.jsonl").write_text('{"id": 0, "la')
    outcome = command("summarize", f"run_id={small_run}")
    assert outcome.code == 0, outcome.err
    assert "observation 4, which was never committed" in outcome.out
    assert "over 3 observations" in outcome.out


def test_damaged_shards_stop_and_keep_the_old_summary(small_run, client, command):
    assert command("summarize", f"run_id={small_run}").code == 0
    before = local(client, small_run, "summary.tsv").read_bytes()
    shard = local(client, small_run, "signals/epoch_0002-00000-of-00001.jsonl")
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-100])
    outcome = command("summarize", f"run_id={small_run}")
    assert (outcome.code, outcome.err) == (
        2,
        f"error: run {small_run}: signals/epoch_0002-00000-of-00001.jsonl is damaged: its bytes do not agree with "
        "signals/epoch_0002.sha256; restore it from a copy\n",
    )
    local(client, small_run, "signals/epoch_0002.sha256").unlink()  # files of others have none
    shard.write_bytes(b"".join(whole.splitlines(keepends=True)[:-1]))
    outcome = command("summarize", f"run_id={small_run}")
    assert (
        outcome.code,
        f"run {small_run}: observation 2 lacks sample 35 (a damaged shard?" in outcome.err,
    ) == (2, True)
    outcome = command("summarize", f"run_id={small_run}", "allow_missing=true")
    assert (outcome.code, "observation 2 is damaged: it has 35 records, but 36 were" in outcome.err) == (
        2,
        True,
    )
    shard.unlink()
    outcome = command("summarize", f"run_id={small_run}")
    assert (outcome.code, "observation 2 was committed but its artifact is gone" in outcome.err) == (2, True)
    assert local(client, small_run, "summary.tsv").read_bytes() == before


def test_plot_says_when_the_summary_is_older_than_the_signals(small_run, client, command):
    command("summarize", f"run_id={small_run}")
    client.log_metric(small_run, "signals.rows", 36, step=4)
    outcome = command("plot", f"run_id={small_run}")
    assert "the summary covers 3 of 4 observations; regenerate it: python src/summarize.py" in outcome.out


def test_shards_and_steps(trained, client, command):
    (out,) = trained(["signals.every=4", "signals.shard_rows=10", "trainer.batch_size=12"])
    run_id = out.split()[1]
    names = [f"signals/step_00000{n}-0000{i}-of-00004.jsonl" for n in (4, 8, 9) for i in range(4)]
    assert [p for p in artifacts(client, run_id, "signals") if p.endswith(".jsonl")] == names
    assert "36 samples over 3 observations" in command("summarize", f"run_id={run_id}").out


def test_flipped_labels_give_an_auroc(pairs_file, client, command):
    outcome = command(
        "main",
        "data=file",
        f"data.path={pairs_file}",
        *SMALL_MODEL,
        "data.flip_ratio=0.2",
        "maps=[{dirty_label: true}]",
    )
    assert outcome.code == 0, outcome.err
    assert "dirty samples against the rest: AUROC" in outcome.out
    run = client.get_run(outcome.out.split()[1])
    summary = pd.read_csv(local(client, run.info.run_id, "summary.tsv"), sep="\t")
    assert run.data.metrics["summary/auroc_dirty"] == pytest.approx(
        auroc(1 - summary["avg_probs"], summary["s_label"] == 2)
    )
    assert "train/accuracy_dirty" in run.data.metrics
    assert {"maps/data_map.png", "maps/dirty_map.png"} <= set(artifacts(client, run.info.run_id))


@pytest.mark.parametrize(
    ("maps", "message"),
    [
        ("[{dirty_lable: true}]", "dirty_lable"),
        ("[{dpi: 1}]", "maps[0].dpi=1 is out of range"),
        ("[{dpi: x}]", "dpi"),
    ],
)
def test_a_mistake_in_a_further_map_costs_no_training(pairs_file, client, command, maps, message):
    outcome = command("main", "data=file", f"data.path={pairs_file}", *SMALL_MODEL, f"maps={maps}")
    assert (outcome.code, outcome.err.count("\n"), outcome.out) == (2, 1, ""), outcome.err
    assert message in outcome.err


def test_bad_rows_are_logged_when_left_out(pairs_file, client, command):
    pairs_file.write_text(pairs_file.read_text() + "just one column\n")
    outcome = command("train", "data=file", f"data.path={pairs_file}", *SMALL_MODEL)
    assert (outcome.code, "line 37: 1 column instead of 3" in outcome.err) == (2, True)
    outcome = command("train", "data=file", f"data.path={pairs_file}", *SMALL_MODEL, "data.on_bad_row=skip")
    assert "1 bad row of" in outcome.out
    run_id = outcome.out.split("\nrun ")[1].split()[0]
    text = local(client, run_id, "data/bad_rows.tsv").read_text()
    assert text == f"file\tline\tproblem\n{pairs_file}\t37\t1 column instead of 3\n"


def test_a_mistake_in_the_data_or_model_leaves_no_run(command, client):
    assert command("train", "data=file", "data.path=nowhere.tsv").code == 2
    assert command("train", "model=ernie-3.0-base-zh").code == 2
    experiment = client.get_experiment_by_name("datamap")
    assert experiment is None or not client.search_runs([experiment.experiment_id])


def test_a_loss_that_is_not_finite_fails_the_run_and_keeps_what_was_logged(pairs_file, client, command):
    outcome = command("train", "data=file", f"data.path={pairs_file}", *SMALL_MODEL, "trainer.lr=1e30")
    assert outcome.code == 2
    assert "lower the learning rate (trainer.lr=1e+30)" in outcome.err
    run = client.get_run(outcome.out.split()[1])
    assert run.info.status == "FAILED"
    assert "config/train.yaml" in artifacts(client, run.info.run_id)


def test_ctrl_c_kills_the_run_and_keeps_its_observations(pairs_file, client, command, monkeypatch):
    from datamap.paddle_backend import trainer

    observe = trainer.Trainer.observe

    def interrupted(self, number, *bar):
        if number == 3:
            raise KeyboardInterrupt
        return observe(self, number, *bar)

    monkeypatch.setattr(trainer.Trainer, "observe", interrupted)
    outcome = command("train", "data=file", f"data.path={pairs_file}", *SMALL_MODEL)
    run_id = outcome.out.split()[1]
    assert outcome.code == 130
    assert f"2 observations saved: python src/summarize.py run_id={run_id}" in outcome.out
    assert client.get_run(run_id).info.status == "KILLED"
    assert "over 2 observations" in command("summarize", f"run_id={run_id}").out


def test_training_adopts_the_run_that_mlflow_made(pairs_file, client, command, monkeypatch):
    experiment = client.create_experiment("projects")
    made = client.create_run(experiment).info.run_id
    client.log_param(made, "seed", "0007")  # as `mlflow run -P seed=0007` does
    monkeypatch.setenv("MLFLOW_RUN_ID", made)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", experiment)
    arguments = ("train", "data=file", f"data.path={pairs_file}", *SMALL_MODEL, "--seed", "0007")
    outcome = command(*arguments)
    assert outcome.code == 0, outcome.err
    assert outcome.out.split()[1] == made
    assert [run.info.run_id for run in client.search_runs([experiment])] == [made]
    assert client.get_run(made).data.params["batch_size"] == "32"
    outcome = command(*arguments)
    assert (outcome.code, f"run {made} (from MLFLOW_RUN_ID) already holds signals" in outcome.err) == (
        2,
        True,
    )
    helper = client.create_run(experiment).info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", helper)
    assert command("plot", "--run_id", "latest").code == 0
    tags = client.get_run(helper).data.tags
    assert tags["mlflow.parentRunId"] == made
    assert tags["mlflow.runName"] == f"plot of {client.get_run(made).info.run_name}"


def test_run_names_differ_for_the_same_seed(pairs_file, client, command):
    for _ in range(2):
        assert command("train", "data=file", f"data.path={pairs_file}", *SMALL_MODEL).code == 0
    runs = client.search_runs([client.get_experiment_by_name("datamap").experiment_id])
    assert len({run.info.run_name for run in runs}) == 2


def test_tracking_options(pairs_file, command, tmp_path):
    from mlflow import MlflowClient

    store = f"sqlite:///{tmp_path}/other.db"
    outcome = command(
        "train",
        "data=file",
        f"data.path={pairs_file}",
        *SMALL_MODEL,
        f"tracking.uri={store}",
        "tracking.experiment=地图",
        "tracking.run_name=第一次",
        "tracking.tags={team: search}",
    )
    assert outcome.code == 0, outcome.err
    run = MlflowClient(store).get_run(outcome.out.split()[1])
    assert (run.info.run_name, run.data.tags["team"]) == ("第一次", "search")
    assert MlflowClient(store).get_experiment(run.info.experiment_id).name == "地图"
    assert not Path("mlflow.db").exists()


@pytest.mark.parametrize("name", ["../x", "/x", "图", "a?b"])
def test_names_that_mlflow_cannot_take_are_refused_before_any_work(command, store, name):
    outcome = command("plot", "run_id=latest", f"name={name}")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(f"error: name={name!r}: a map's name is made of")


def test_more_samples_than_there_are(command, pairs_file, client):
    outcome = command("train", "data=file", f"data.path={pairs_file}", *SMALL_MODEL, "data.sample=99")
    assert outcome.code == 0, outcome.err
    assert f"note: data.sample=99, but {pairs_file} has only 36 rows: using all of them" in outcome.out
    assert "3 observations of 36 samples logged" in outcome.out


def test_sizes_that_do_not_fit(command, store):
    outcome = command("train", "model.scratch.hidden_size=16", "model.scratch.heads=3")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "model.scratch.hidden_size=16 is not a multiple of model.scratch.heads=3" in outcome.err


def test_log_text_false_keeps_the_texts_out_of_every_artifact(pairs_file, client, command):
    secret = "秘密"
    text = pairs_file.read_text(encoding="utf-8").replace("手机壳", secret)
    pairs_file.write_text(text + f"{secret}一\t{secret}二\t\n", encoding="utf-8")
    outcome = command("train", "data=file", f"data.path={pairs_file}", *SMALL_MODEL, "log_text=false",
                      "data.on_bad_row=skip")  # fmt: skip
    assert outcome.out.startswith(f"1 bad row of {pairs_file} left out")
    assert command("plot", "run_id=latest").code == 0
    (run,) = client.search_runs(["1"])
    files = [path for path in Path(run.info.artifact_uri).rglob("*") if path.is_file()]
    assert "explorer.html" in [path.name for path in files]
    for path in files:
        content = path.read_bytes()
        assert secret.encode() not in content and json.dumps(secret)[1:-1].encode() not in content, path
    assert secret not in str(run.to_dictionary())


def test_the_runs_page_tells_its_story_and_keeps_the_users_own(small_run, client, command):
    assert command("summarize", f"run_id={small_run}").code == 0
    run = client.get_run(small_run)
    summary = pd.read_csv(local(client, small_run, "summary.tsv"), sep="\t")
    metrics = run.data.metrics
    assert metrics["summary/mean_confidence"] == pytest.approx(summary["avg_probs"].mean())
    assert metrics["summary/mean_variability"] == pytest.approx((summary["label_var"] ** 0.5).mean())
    assert metrics["summary/never_learnt"] == (summary["correct_times"] == 0).mean()
    assert metrics["summary/mean_correct"] == pytest.approx(summary["correct_ratio"].mean())
    assert metrics["summary/learned"] == (
        summary["correct_ratio"].mean() >= required_accuracy(summary["label"])
    )
    assert metrics["summary/forgetting_events"] == summary["forgetting_times"].sum() / 36
    note = run.data.tags["mlflow.note.content"]
    assert note.startswith("**36 samples over 3 observations.**")
    assert command("summarize", f"run_id={small_run}", "until=2").code == 0
    assert "over 2 observations" in client.get_run(small_run).data.tags["mlflow.note.content"]
    assert client.get_run(small_run).data.metrics["summary/observations"] == 2
    client.set_tag(small_run, "mlflow.note.content", "mine")
    assert command("summarize", f"run_id={small_run}").code == 0
    assert client.get_run(small_run).data.tags["mlflow.note.content"] == "mine"


def test_a_reader_that_goes_away_does_not_stop_training(pairs_file, client):
    process = Process("train", ["data=file", f"data.path={pairs_file}", *SMALL_MODEL])
    with process.stdout:
        process.stdout.readline()
    process.wait()
    (run,) = client.search_runs(["1"])
    assert run.info.status == "FINISHED"
