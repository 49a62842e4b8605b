"""SignalRecorder on a real store: whose run it writes into, what it takes, what it refuses."""

import inspect
import json
import multiprocessing
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest.mock import Mock

import mlflow
import numpy as np
import pandas as pd
import pytest
import yaml
from mlflow import MlflowClient

import datamap
from conftest import ROOT
from datamap import schema
from datamap.errors import ConfigError, DataError, SignalError, TrackingError
from datamap.recording import arguments
from datamap.signals import compute, shards
from datamap.signals.compute import as_array, signal_table
from datamap.tracking.store import Store
from explored import texts_of
from reference import reduce_records

IDS = [f"s{n}" for n in range(8)]
LABELS = np.arange(8) % 2
TEXTS = pd.DataFrame({"id": IDS, "text_a": [f"文本 {n}" for n in range(8)], "label": LABELS, "length": 4})


def logits(epoch):
    return np.random.default_rng(epoch).normal(size=(8, 2)).astype(np.float32)


def record(recorder, epoch):
    for rows in (slice(0, 5), slice(5, 8)):
        recorder.record(IDS[rows], LABELS[rows], logits=logits(epoch)[rows])


def status(run_id):
    return MlflowClient().get_run(run_id).info.status


def signals_of(run_id, epoch=1):
    folder = Path(MlflowClient().get_run(run_id).info.artifact_uri)
    return (folder / f"signals/epoch_000{epoch}-00000-of-00001.jsonl").read_bytes()


@pytest.fixture
def active(store):
    with mlflow.start_run() as run:
        yield run.info.run_id


def test_three_lines_make_a_run_that_the_other_steps_work_on(store, command, capsys):
    with datamap.SignalRecorder(["no", "yes"], TEXTS, run_name="mine", tags={"team": "a"}) as recorder:
        for epoch in (1, 2, 3):
            record(recorder, epoch)
            recorder.commit(epoch, {"dev/accuracy": np.float32(epoch / 4)})
    run_id = recorder.run_id
    out = capsys.readouterr().out
    assert re.fullmatch(
        rf"run {run_id}  \(http://127.0.0.1:5000/#/.*\): 3 observations of 8 samples\nnext: .*run_id={run_id}\n",
        out,
    )
    run = MlflowClient().get_run(run_id)
    assert (run.info.status, run.info.run_name, run.data.tags["team"]) == ("FINISHED", "mine", "a")
    assert run.data.metrics == {"dev/accuracy": 0.75, "signals.rows": 8}
    assert command("summarize", f"run_id={run_id}").code == 0
    assert command("plot", f"run_id={run_id}").code == 0
    folder = Path(run.info.artifact_uri)
    records = [[json.loads(line) for line in signals_of(run_id, n).splitlines()] for n in (1, 2, 3)]
    summary = pd.read_csv(folder / "summary.tsv", sep="\t")
    for row, expected in zip(summary.to_dict("records"), reduce_records(records).values(), strict=True):
        assert {key: row[key] for key in expected} == pytest.approx(expected, abs=1e-9)
    assert json.loads((folder / "labels.json").read_text()) == {"0": "no", "1": "yes"}
    texts = pd.read_csv(folder / "data/samples.tsv", sep="\t")
    pd.testing.assert_frame_equal(texts, TEXTS.drop(columns="length"), check_dtype=False)
    assert "文本 7" in texts_of(folder / "maps/explorer.html")["text_a"]


def test_the_same_logits_give_the_bytes_of_our_own_training(store):
    with datamap.SignalRecorder() as recorder:
        record(recorder, 1)
        recorder.commit(1)
    tables = []
    own = compute.ObservationCollector(
        lambda number, table: tables.append(table)
    )  # what training.Trainer does
    own.record(IDS, LABELS, logits=logits(1), noisy_labels=np.zeros(8, np.int64))
    own.commit(1)
    ((shard, content),) = shards.encoded(tables[0], "epoch", 1, 100, "jsonl")
    assert content == signals_of(recorder.run_id)
    folder = Path(MlflowClient().get_run(recorder.run_id).info.artifact_uri)
    assert (folder / "signals/epoch_0001.sha256").read_bytes() == shards.checksums([shard])


def test_defaults_are_those_of_the_config():
    train = yaml.safe_load((ROOT / "conf/train.yaml").read_text())
    tracking = yaml.safe_load((ROOT / "conf/tracking/default.yaml").read_text())
    defaults = {
        name: argument.default
        for name, argument in inspect.signature(datamap.SignalRecorder).parameters.items()
    }
    assert [train["signals"][name] == defaults[name] for name in ("shard_rows", "format")] == [True, True]
    assert (tracking["retry_seconds"], tracking["spool"]) == (defaults["retry_seconds"], defaults["spool"])


def test_parquet_and_steps(store, command):
    with datamap.SignalRecorder(format="parquet", unit="step") as recorder:
        for step in (100, 200):
            record(recorder, step)
            recorder.commit(np.int64(step))
    files = [file.path for file in MlflowClient().list_artifacts(recorder.run_id, "signals")]
    assert "signals/step_000200-00000-of-00001.parquet" in files
    assert "8 samples over 2 observations" in command("summarize", f"run_id={recorder.run_id}").out


@pytest.mark.parametrize(("sizes", "format"), [((20_001, 5), "parquet"), ((20_000, 20_001), "jsonl")])
def test_a_run_keeps_the_format_of_its_first_observation(store, sizes, format):
    run_id = None
    for numbers in ((1, 2), (3,)):
        with datamap.SignalRecorder(task="scores", run_id=run_id, resume=True, shard_rows=15_000) as recorder:
            for number in numbers:
                recorder.record(range(sizes[number > 1]), confidence=np.full(sizes[number > 1], 0.5))
                recorder.commit(number)
        run_id = recorder.run_id
    shards_there = filter(None, map(schema.parse_shard, recorder.run.files("signals")))
    assert {(shard.number, shard.format) for shard in shards_there} == {(n, format) for n in (1, 2, 3)}


# ---------------------------------------------------------------- whose run


def test_an_active_run_is_used_and_keeps_its_status(active):
    with datamap.SignalRecorder() as recorder:
        record(recorder, 1)
        recorder.commit(1)
    assert recorder.run_id == active
    assert status(active) == "RUNNING"
    with pytest.raises(TrackingError, match=f"run {active} already holds signals.*record into a new run"):
        datamap.SignalRecorder()


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_active_run_keeps_its_status_when_training_raises(active, error):
    with pytest.raises(error), datamap.SignalRecorder():
        raise error
    assert status(active) == "RUNNING"


def test_run_id_comes_before_the_active_run_and_may_have_ended(store):
    with mlflow.start_run() as earlier:
        mlflow.log_metric("x", 1)
    with mlflow.start_run(), datamap.SignalRecorder(run_id=earlier.info.run_id) as recorder:
        record(recorder, 1)
        recorder.commit(1)
    assert status(earlier.info.run_id) == "FINISHED"
    assert recorder.run.committed() == {1: 8}


def test_nothing_that_is_logged_is_overwritten(active):
    mlflow.log_dict({"0": "mine"}, "labels.json")
    with pytest.raises(TrackingError, match="has labels.json already"):
        datamap.SignalRecorder(["a", "b"])
    assert mlflow.artifacts.load_dict(f"runs:/{active}/labels.json") == {"0": "mine"}
    mlflow.log_text("", "signals/epoch_0001-00000-of-00001.jsonl")  # never committed
    with pytest.raises(TrackingError, match="already holds signals"):
        datamap.SignalRecorder()


def test_names_for_a_run_that_has_one(active):
    with pytest.raises(ConfigError, match=f"are for a new run, but signals go into run {active}"):
        datamap.SignalRecorder(run_name="x")


def test_the_run_of_the_environment_is_used_and_keeps_its_status(store, monkeypatch):
    made = MlflowClient().create_run("0").info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", made)
    with datamap.SignalRecorder(run_name="mine", tags={"team": "a"}) as recorder:
        record(recorder, 1)
        recorder.commit(1)
    assert (recorder.run_id, status(made), recorder.run.committed()) == (made, "RUNNING", {1: 8})
    run = MlflowClient().get_run(made)
    assert (run.info.run_name, run.data.tags["team"]) == ("mine", "a")
    with pytest.raises(TrackingError, match="already holds signals"):
        datamap.SignalRecorder()


def test_a_run_has_one_recorder_at_a_time(active):
    with datamap.SignalRecorder(["no", "yes"]) as recorder:
        with pytest.raises(TrackingError, match="already has a recorder: close it first"):
            datamap.SignalRecorder()
        record(recorder, 1)
        recorder.commit(1)
    assert recorder.run.committed() == {1: 8}


def test_a_run_that_is_not_there_makes_no_store(tmp_path):
    with pytest.raises(TrackingError, match="there is no MLflow store"):
        datamap.SignalRecorder(run_id="nowhere")
    assert not Path("mlflow.db").exists()


def test_a_store_elsewhere_is_named_in_the_next_command(empty_store, tmp_path, capsys):
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/elsewhere.db")
    with datamap.SignalRecorder() as recorder:
        record(recorder, 1)
        recorder.commit(1)
    assert capsys.readouterr().out.endswith(f" tracking.uri=sqlite:///{tmp_path}/elsewhere.db\n")


# ---------------------------------------------------------------- how it ends


@pytest.mark.parametrize(("error", "expected"), [(ValueError, "FAILED"), (KeyboardInterrupt, "KILLED")])
def test_an_exception_loses_what_was_not_committed_and_says_so(store, capsys, command, error, expected):
    with pytest.raises(error), datamap.SignalRecorder() as recorder:
        record(recorder, 1)
        recorder.commit(1)
        record(recorder, 2)
        raise error
    assert status(recorder.run_id) == expected
    assert "note: lost 8 records that were not committed after observation 1" in capsys.readouterr().out
    assert "8 samples over 1 observation" in command("summarize", f"run_id={recorder.run_id}").out


def test_an_interrupt_before_its_end_leaves_that_to_another_close(store, monkeypatch):
    recorder = datamap.SignalRecorder()
    record(recorder, 1)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("datamap.recording.recorder.say", Mock(side_effect=KeyboardInterrupt))
        recorder.close()
    recorder.close()
    assert status(recorder.run_id) == "FINISHED"


def test_without_with_it_is_closed_by_hand(store):
    recorder = datamap.SignalRecorder()
    record(recorder, 1)
    recorder.commit(1)
    assert status(recorder.run_id) == "RUNNING"
    recorder.close()
    recorder.close()
    assert status(recorder.run_id) == "FINISHED"
    with pytest.raises(SignalError, match="its recorder is closed"):
        recorder.commit(2)


NEVER_CLOSED = """
import os, sys
import datamap
assert "mlflow" not in sys.modules
datamap.SignalRecorder
assert not {"paddle", "torch", "transformers", "lightning"} & set(sys.modules)
child = os.fork()  # two processes for one import; each ends as a script does
if child:
    os.waitpid(child, 0)
recorder = datamap.SignalRecorder()
recorder.record([1, 2], [0, 1], logits=[[1, 0], [0, 1]])
recorder.commit(1)
if child:
    1 / 0
"""


def test_never_closed_ends_failed_with_the_process_and_imports_no_framework(store, shell):
    outcome = shell([sys.executable, "-c", NEVER_CLOSED], PYTHONPATH=str(ROOT / "src"))
    assert outcome.err.count("Traceback") == 1 and "ZeroDivisionError" in outcome.err, outcome.err
    assert "atexit" not in outcome.err
    assert outcome.out.count("was never closed: use `with`, or close() at the end") == 2
    run_ids = re.findall(r"run_id=(\w+)", outcome.out)
    assert len(set(run_ids)) == 2
    for run_id in set(run_ids):
        assert status(run_id) == "FAILED"
        assert signals_of(run_id).count(b"\n") == 2


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_never_closed_in_a_process_of_multiprocessing(store, tmp_path, method):
    process = multiprocessing.get_context(method).Process(target=train_and_raise, args=(tmp_path / "run_id",))
    process.start()
    process.join(120)
    run_id = (tmp_path / "run_id").read_text()
    steps = [metric.step for metric in MlflowClient().get_metric_history(run_id, "signals.rows")]
    assert (status(run_id), steps) == ("FAILED", [1, 2])


def train_and_raise(run_id_file):
    recorder = datamap.SignalRecorder()
    run_id_file.write_text(recorder.run_id)
    for epoch in (1, 2):
        record(recorder, epoch)
        recorder.commit(epoch)
    raise ValueError("training failed")


@pytest.mark.parametrize("way", ["multiprocessing", "os.fork"])
def test_a_fork_records_nothing_and_ends_nothing(store, way):
    with datamap.SignalRecorder() as recorder:
        record(recorder, 1)
        if way == "os.fork":
            child = os.fork()
            if not child:
                os._exit(fails_in_a_fork(recorder))
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        else:
            process = multiprocessing.get_context("fork").Process(target=fails_in_a_fork, args=(recorder,))
            process.start()
            process.join(60)
            assert process.exitcode == 0
        assert status(recorder.run_id) == "RUNNING"
        recorder.commit(1)
    assert (recorder.run.committed(), status(recorder.run_id)) == ({1: 8}, "FINISHED")


def fails_in_a_fork(recorder):
    for call in (lambda: record(recorder, 1), lambda: recorder.commit(1)):
        with pytest.raises(SignalError, match="a forked process cannot record"):
            call()
    recorder.close()
    recorder._abandon()
    return 0


def test_batches_may_come_from_several_threads(store):
    def part(rows):
        recorder.record(IDS[rows], LABELS[rows], logits=logits(1)[rows])

    with datamap.SignalRecorder() as recorder, ThreadPoolExecutor(4) as pool:
        list(pool.map(part, [slice(n, n + 1) for n in range(8)]))
        recorder.commit(1)
    assert recorder.run.committed() == {1: 8}


def test_what_the_store_does_not_take_is_spooled(store, monkeypatch, command):
    recorder = datamap.SignalRecorder(retry_seconds=0, spool="unsent")
    record(recorder, 1)
    with monkeypatch.context() as patch:

        def away(*_):
            raise TrackingError("the store is away")

        patch.setattr("datamap.tracking.run.Run.log_bytes", away)
        recorder.commit(1)
        with pytest.raises(TrackingError, match="did not accept everything"):
            recorder.close()
    assert command("upload", "folder=unsent").code == 0
    assert (recorder.run.committed(), status(recorder.run_id)) == ({1: 8}, "FINISHED")


def test_a_spool_that_cannot_be_written_to_is_refused_before_there_is_a_run(store, tmp_path, command):
    (tmp_path / "file").touch()
    for spool in (tmp_path / "file", tmp_path / "file" / "below", "/proc/spool", "", 7):
        with pytest.raises(ConfigError, match="spool=.*give "):
            datamap.SignalRecorder(spool=spool)
    assert not MlflowClient().search_experiments(filter_string="name = 'datamap'")
    outcome = command("train", "data.sample=10", f"tracking.spool={tmp_path / 'file'}")
    assert outcome.code == 2 and "tracking.spool=" in outcome.err and "Not a directory" in outcome.err
    with datamap.SignalRecorder(spool=tmp_path / "made" / "later") as recorder:
        record(recorder, 1)
        recorder.commit(1)
    assert not (tmp_path / "made").exists()


# ---------------------------------------------------------------- what it refuses

ROWS = {"ids": [7, 8], "labels": [0, 1], "logits": np.eye(2)}
REFUSED = {
    "one distribution per token: use SignalRecorder.task='tokens'.": {
        "labels": np.zeros((2, 5)), "logits": np.zeros((2, 5, 3))},
    "for several labels per sample use SignalRecorder.task='multilabel'.": {"labels": np.eye(2)},
    "label is not an integer, id 8": {"labels": [0.0, 0.5]},
    "label is missing, id 7": {"labels": [np.nan, 1]},
    r"shape \(2, 1\), one per sample; give both classes.*1 - p, p": {"logits": np.zeros((2, 1))},
    r"shape \(2,\), one per sample; give both classes": {"logits": np.zeros(2)},
    "labels must be class indices, not no, yes": {"labels": ["no", "yes"]},
    "ids must be whole numbers below 2\\^63 or strings, not 0.5": {"ids": [0.5, 1.5]},
    "logits: its rows have different lengths": {"logits": [[0, 1], [1]]},
    "give either logits or probs": {"logits": None},
}  # fmt: skip


@pytest.mark.parametrize("message", REFUSED)
def test_other_tasks_and_bad_shapes_are_refused_in_one_line(message):
    with pytest.raises(SignalError, match=message) as caught:
        compute.ObservationCollector(print).record(**{**ROWS, **REFUSED[message]})
    assert "\n" not in str(caught.value)


def test_what_commit_refuses(store):
    with datamap.SignalRecorder(["a", "b", "c"]) as recorder:
        recorder.record(**ROWS)
        with pytest.raises(SignalError, match="observation 0 does not come after 0: count from 1"):
            recorder.commit(0)
        with pytest.raises(SignalError, match="the model has 2 classes, class_names= 3"):
            recorder.commit(1)
        with pytest.raises(SignalError, match="numbers only"):
            recorder.commit(1, {"loss": "low"})
        with pytest.raises(SignalError, match="give a whole number"):
            recorder.commit(1.5)
        recorder.record(**ROWS)
        with pytest.raises(SignalError, match="id repeated: 7, 8 .does the sampler repeat samples"):
            recorder.commit(1)
        recorder.record(**{**ROWS, "ids": ["a", "b"]})
        with pytest.raises(SignalError, match="some ids are numbers, others strings"):
            recorder.commit(1)
    assert recorder.run.committed() == {}


def test_samples_that_do_not_fit(store, capsys):
    with pytest.raises(DataError, match="no column id .columns: text_a.*rename"):
        datamap.SignalRecorder(samples={"text_a": ["a"]})
    with datamap.SignalRecorder(samples=pd.DataFrame({"id": [1], "text": ["x"]})):
        assert "no column text_a (columns: id, text), so the run has no texts" in capsys.readouterr().out
    with pytest.raises(DataError, match="id repeated: 1"):
        datamap.SignalRecorder(samples={"id": [1, 1], "text_a": ["x", "y"]})
    with datamap.SignalRecorder(samples={"id": [7], "text_a": ["x"]}) as recorder:
        recorder.record(**ROWS)
        with pytest.raises(SignalError, match="samples= has no id 8; record the ids that samples= has"):
            recorder.commit(1)
    with pytest.raises(ConfigError, match="format='csv': choose one of auto, jsonl, parquet"):
        datamap.SignalRecorder(format="csv")
    with pytest.raises(ConfigError, match="unit='batch': choose one of epoch, step"):
        datamap.SignalRecorder(unit="batch")


# ---------------------------------------------------------------- what it takes

KINDS = [
    "list",
    "numpy",
    "float16",
    "pandas",
    "torch",
    "torch.bfloat16",
    "paddle",
    "paddle.bfloat16",
    "paddle.float16",
]


def made(values, kind):
    package, _, dtype = kind.partition(".")
    if package == "torch":
        import torch

        return torch.tensor(values, dtype=getattr(torch, dtype) if dtype else None, requires_grad=bool(dtype))
    if package == "paddle":
        import paddle

        tensor = paddle.to_tensor(values)
        tensor.stop_gradient = not dtype
        return tensor.astype(dtype) if dtype else tensor
    return {
        "list": values,
        "numpy": np.array(values),
        "float16": np.array(values, np.float16),
        "pandas": pd.DataFrame(values) if np.ndim(values) == 2 else pd.Series(values),
    }[kind]


def test_what_samples_says_of_planted_kinds_and_labels(store, command):
    planted = TEXTS.assign(s_label=[2, 0] * 4, label=["no", "yes"] * 4)
    with datamap.SignalRecorder(["no", "yes"], planted) as recorder:
        record(recorder, 1)
        recorder.commit(1)
    outcome = command("diagnose", f"run_id={recorder.run_id}")
    assert "planted dirty samples: auroc" in outcome.out
    with (
        pytest.raises(SignalError, match="samples= has another label, id s3"),
        datamap.SignalRecorder(["no", "yes"], TEXTS.assign(label=[0, 1, 0, 0, 0, 1, 0, 1])) as recorder,
    ):
        record(recorder, 1)
        recorder.commit(1)


def test_texts_and_names_that_later_steps_could_not_use(store):
    with pytest.raises(DataError, match="samples=: text_a is empty, id s2"):
        datamap.SignalRecorder(samples=TEXTS.assign(text_a=["a", "b", " "] + ["c"] * 5))
    with pytest.raises(ConfigError, match="occurs twice"):
        datamap.SignalRecorder(class_names=["p", "p"])


@pytest.mark.parametrize("kind", KINDS)
def test_arrays_and_tensors_of_any_kind_give_the_same_signals(kind):
    scores = [[0.5, -1.25], [2.0, 0.375], [-0.125, 3.0]]  # exact in bfloat16
    whole = kind.partition(".")[0].replace("float16", "numpy")
    column = made([[1], [0], [1]], whole)  # (n, 1), as Paddle's loaders give labels
    table = signal_table(made([3, 1, 2], whole), column, logits=made(scores, kind), noisy_labels=column)
    expected = signal_table([3, 1, 2], [1, 0, 1], logits=np.array(scores), noisy_labels=[1, 0, 1])
    assert table.equals(expected)
    assert table["id"].to_pylist() == [3, 1, 2]


def test_lists_of_tensors_and_whole_float_labels():
    import torch

    rows = [torch.tensor([0.5, 1.0], dtype=torch.bfloat16), torch.tensor([1.0, 0.0], dtype=torch.bfloat16)]
    table = signal_table([torch.tensor(4), torch.tensor(5)], torch.tensor([1.0, 0.0]), logits=rows)
    assert table.equals(signal_table([4, 5], [1, 0], logits=[[0.5, 1.0], [1.0, 0.0]]))
    assert as_array(torch.nn.Parameter(torch.ones(2))).tolist() == [1, 1]


def test_half_precision_probabilities_of_many_classes_are_summed_in_full():
    probs = np.full((1, 3000), 1 / 3000, np.float16)
    assert signal_table([0], [0], probs=probs).num_rows == 1


def test_shards_hold_the_same_samples_though_each_epoch_is_shuffled(store, command):
    with datamap.SignalRecorder(shard_rows=7) as recorder:
        for epoch in (1, 2):
            ids = np.random.default_rng(epoch).permutation(20)
            recorder.record(ids, ids % 2, probs=np.tile([0.3, 0.7], (20, 1)))
            recorder.commit(epoch)
    outcome = command("summarize", f"run_id={recorder.run_id}")
    assert (outcome.code, "20 samples over 2 observations" in outcome.out) == (0, True), outcome.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"unit": "step"}, "numbers observations by epoch, not by step"),
        ({"task": "scores"}, "records task=classification and cannot continue as task=scores"),
    ],
)
def test_a_refused_resumption_leaves_the_run_as_it_was(store, options, message):
    with datamap.SignalRecorder() as first:
        first.record([1], [0], probs=[[0.5, 0.5]])
        first.commit(1)
    before = first.run.client.get_run(first.run_id)
    with pytest.raises(TrackingError, match=message):
        datamap.SignalRecorder(run_id=first.run_id, resume=True, **options)
    after = first.run.client.get_run(first.run_id)
    assert (after.info.status, after.data.tags) == ("FINISHED", before.data.tags)


def test_a_recorder_goes_on_after_the_last_observation_of_its_run(store):
    run_id = None
    for numbers in ((1, 2), (2, 3)):
        with datamap.SignalRecorder(["a", "b"], run_id=run_id, resume=True) as recorder:
            for number in numbers:
                recorder.record([1, 2], [0, 1], probs=[[0.5, 0.5], [0.1 * number, 1 - 0.1 * number]])
                recorder.commit(number)
        run_id = recorder.run_id
    assert recorder.run.committed() == {1: 2, 2: 2, 3: 2}
    with (
        pytest.raises(SignalError, match="label of id 1 is 1, but 0 in observation 1"),
        datamap.SignalRecorder(run_id=recorder.run_id, resume=True) as recorder,
    ):
        recorder.record([1, 2], [1, 1], probs=[[0.5, 0.5], [0.5, 0.5]])
        recorder.commit(4)


def test_an_observation_of_any_number_that_is_accepted_is_read_again(store):
    numbers = (10**9, arguments.MAX_NUMBER)
    with datamap.SignalRecorder() as recorder:
        for number in numbers:
            recorder.record([1, 2], [0, 1], probs=[[0.9, 0.1], [0.2, 0.8]])
            recorder.commit(number)
    datamap.summarize(recorder.run_id)
    about = json.loads(Store().run(recorder.run_id).artifacts.read("summary.json"))
    assert about["observations"] == list(numbers)


def test_an_address_with_a_nul_character_is_refused(store):
    with pytest.raises(ConfigError, match="has a NUL character"):
        datamap.SignalRecorder(tracking_uri="sqlite:///a\0b.db")


def test_half_of_the_checksums_of_an_uncommitted_observation_hinders_nobody(store):
    def record(recorder, number):
        recorder.record([1, 2], [0, 1], probs=[[0.9, 0.1], [0.2, 0.8]])
        recorder.commit(number)

    with datamap.SignalRecorder() as recorder:
        record(recorder, 1)
    folder = Store().run(recorder.run_id).artifacts.folder / "signals"
    (folder / "epoch_0002-00000-of-00001.jsonl").write_bytes(b"{")
    (folder / "epoch_0002.sha256").write_bytes(b"0123")
    assert datamap.summarize(recorder.run_id)["id"].tolist() == [1, 2]
    with datamap.SignalRecorder(run_id=recorder.run_id, resume=True) as recorder:
        record(recorder, 2)
    assert datamap.summarize(recorder.run_id)["avg_probs"].tolist() == pytest.approx([0.9, 0.8])
