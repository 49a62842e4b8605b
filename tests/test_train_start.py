"""Data and models that cannot be trained are refused before a run is made; what may fail does not end a training."""

from pathlib import Path

import pyarrow as pa
import pytest

import datamap
from conftest import SMALL_MODEL
from datamap.processes import Processes
from datamap.recording.shared_log import SharedLog, join_run
from datamap.tracking.delivery import Delivery
from datamap.tracking.store import Store
from datamap.training import extra
from datamap.training.live_map import LiveMap


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["data.folds=5000"], "data.folds=5000, but there are only 36 samples: give fewer folds"),
        (["model.max_length=2000000000"], "model.max_length=2000000000 is out of range"),
        (["model.scratch.layers=100000000"], "model.scratch.layers=100000000 is out of range"),
        (["model.scratch.hidden_size=15"], "model.scratch.hidden_size=15 is not a multiple"),
        (["trainer.lr=1e400"], "trainer.lr=inf is out of range: it must be finite"),
        (["trainer.warmup=nan"], "trainer.warmup=nan is out of range"),
        (["data.ids=[1,99]"], "long.tsv has no sample 99"),
        (["data.ids=[1,3,5]"], "data.ids chose samples of one class; a classifier needs two"),
        (["data.ids=[0,1,3]"], "data.ids chose class '0' only once; choose more samples"),
        (["data.ids=7"], "data.ids=7: give a list of ids, as in data.ids=[7,12]"),
        (["data.columns.text_a=1.5"], "no column '1.5' for data.columns.text_a"),
        (["data.dev_path=" + "a" * 5000 + ".tsv"], "File name too long"),
        (["trainer.device=tpu7"], "trainer.device=tpu7: Paddle has no such device on this machine; set cpu"),
        (["model.name_or_path=."], "the folder has no weights"),
        (["model.name_or_path=" + "a" * 5000], "File name too long"),
        (
            ["model.max_length=4", "trainer.max_length=900", "model.scratch.heads=2"],
            "accepts at most 64; set trainer.max_length=64",
        ),
        (["signals.collect=train", "signals.every=5"], "leave signals.every=epoch"),
    ],
    ids=lambda value: value[0][:30] if isinstance(value, list) else "",
)
def test_what_cannot_be_trained_makes_no_run(command, client, tmp_path, options, message):
    file = tmp_path / "long.tsv"
    file.write_text("".join(f"怎么换手机壳{n}{'长' * 70}\t手机壳{n}\t{n % 2}\n" for n in range(36)))
    small = () if "name_or_path" in options[0] else SMALL_MODEL
    outcome = command("train", "data=file", f"data.path={file}", *small, *options)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1), outcome.err
    assert message in outcome.err
    assert not client.search_runs([e.experiment_id for e in client.search_experiments()])


def test_one_of_several_processes_names_a_device_that_is_not_there(command, monkeypatch):
    monkeypatch.setenv("PADDLE_TRAINERS_NUM", "2")
    outcome = command("train", "trainer.device=tpu7")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1), outcome.err
    assert "trainer.device=tpu7: Paddle has no such device" in outcome.err


def test_the_samples_with_given_ids_are_trained(command, client, pairs_file, tmp_path):
    (tmp_path / "ids.txt").write_text("5\n2\n\n30\n33\n 9 \n")
    outcome = command(
        "train",
        "data=file",
        f"data.path={pairs_file}",
        *SMALL_MODEL,
        "trainer.epochs=1",
        f"data.ids={tmp_path}/ids.txt",
    )
    assert outcome.code == 0, outcome.err
    run_id = outcome.out.split()[1]
    assert datamap.summarize(run_id)["id"].tolist() == [2, 5, 9, 30, 33]
    curated = command("curate", f"run_id={run_id}", "keep=matching", "ids=[2,5,30,33]")
    assert curated.code == 0 and "data.ids" not in curated.out + curated.err  # of other data


UNUSED = {
    (
        "data.path=a.conll",
        "data.header=true",
    ): "data.header=True has no meaning for a CoNLL file; leave it out",
    (
        "data.path=a.conll",
        "data.columns.id=2",
    ): "data.columns.id=2 has no meaning for a CoNLL file; leave it out",
    (
        "data.path=a.conll",
        "data.columns.text_b=0",
    ): "data.columns.text_b=0 has no meaning for data.task=tokens",
    ("data.path=a.jsonl", "data.delimiter=tab"): "data.delimiter=tab has no meaning for .jsonl; leave it out",
    (
        "data.path=a.parquet",
        "data.encoding=gbk",
    ): "data.encoding=gbk has no meaning for .parquet; leave it out",
    ("data.path=folder", "data.header=false"): "data.header=False has no meaning for a folder; leave it out",
    (
        "data.path=null",
        "data.loader=lcqmc",
        "data.dev_path=a.tsv",
    ): "no meaning for a data set of PaddleNLP's",
    (
        "data.path=a.tsv",
        "data.task=multilabel",
        "data.columns.text_b=more",
    ): "data.columns.text_b=more has no meaning for data.task=multilabel; leave it out",
}


@pytest.mark.parametrize("given", UNUSED, ids=" ".join)
def test_a_key_that_a_file_has_no_use_for_is_refused(given, command):
    task = ["data.task=tokens"] * given[0].endswith(".conll")
    Path("folder").mkdir()
    for path in ("a.conll", "a.jsonl", "a.parquet", "a.tsv"):
        Path(path).write_bytes(b"a B-X\nb O\n")
    outcome = command("train", "data=file", *task, *given)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert UNUSED[given] in outcome.err


def test_shards_without_bound_are_one(command, client, pairs_file):
    outcome = command(
        "train", "data=file", f"data.path={pairs_file}", *SMALL_MODEL, f"signals.shard_rows={10**30}"
    )
    assert outcome.code == 0, outcome.err


@pytest.mark.parametrize("method", ["__init__", "add", "picture", "record_cost", "_draw"])
def test_a_live_map_that_fails_is_left_out(command, client, pairs_file, monkeypatch, method):
    def fail(*arguments, **options):
        raise ValueError("no room\nfor a map")

    monkeypatch.setattr("datamap.training.live_map.SHARE", 1000)  # these epochs take milliseconds
    monkeypatch.setattr(LiveMap, method, fail)
    outcome = command("train", "data=file", f"data.path={pairs_file}", *SMALL_MODEL, "plot.live=true")
    assert outcome.code == 0, outcome.err
    assert outcome.out.count("note: live maps stop here (ValueError: no room)\n") == 1
    assert "3 observations of 36 samples logged" in outcome.out


def test_what_follows_the_main_training_is_said_before(command, store, pairs_file):
    options = ("trainer.epochs=1", "data.folds=2", "signals.threshold_samples=true")
    out = command("train", "data=file", f"data.path={pairs_file}", *SMALL_MODEL, *options).out
    note = "3 further trainings of 1 epoch each will follow this one (data.folds=2, signals.threshold_samples=true)\n"
    assert note in out.partition("epoch 1 of 1")[0]


def test_a_process_that_joined_does_not_write_into_a_run_that_was_taken_over(client):
    class Second(Processes):
        """The second of two processes, without the first."""

        def __init__(self):
            self.index, self.count = 1, 2

        def gather(self, value):
            return [value]

    with Store().new_run() as made:
        made.begin()
        log = SharedLog(
            join_run(made.tracking_uri, made.run_id, made.writer), Second(), None, "epoch", 10, "auto"
        )
        log.put(pa.table({"id": [0, 1, 2, 3]}), Delivery(1))
        path = "signals/epoch_0001-00001-of-00002.jsonl"
        before = made.artifacts.read(path)
        assert before == b'{"id": 2}\n{"id": 3}\n'
        Store().run(made.run_id).begin()  # resume=true in another process
        log.put(pa.table({"id": [7, 7, 7, 7]}), Delivery(1))  # the first process learns that it is not logged
        assert made.artifacts.read(path) == before


def test_a_class_with_fewer_samples_than_folds_is_spread_too():
    import numpy as np

    assert sorted(extra._spread(np.array([0] * 9 + [1]), 5, 1)) == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
