"""Processes that train together (gloo, on the CPU) make one run, with the summary of a single process."""

import io
import re
from pathlib import Path

import pandas as pd
import pytest
from mlflow import MlflowClient

from conftest import ROOT, artifacts, local
from ranks import together as together

LOOP = """
import os, sys, time
import mlflow, torch, torch.distributed as dist
from torch.utils.data import DataLoader, DistributedSampler
import datamap

how = sys.argv[1]
dist.init_process_group("gloo")
data = list(range(37))
sampler = DistributedSampler(data, shuffle=how == "shuffled")
with datamap.SignalRecorder(class_names=["a", "b", "c"], shard_rows=10) as recorder:
    for epoch in (1, 2):
        sampler.set_epoch(epoch)
        for ids in DataLoader(data, batch_size=4, sampler=sampler):
            logits = torch.stack([torch.sin(ids * epoch), torch.cos(2.0 * ids + epoch), ids / 50], 1)
            recorder.record(ids, ids % 3, logits=logits)
        if how == "dies" and epoch == 2 and dist.get_rank() == 1:
            while not mlflow.MlflowClient().get_metric_history(recorder.run_id, "signals.rows"):
                time.sleep(0.1)  # training does not wait until the first observation is in the store
            os._exit(3)
        if how == "differs" and dist.get_rank() == 1:
            epoch += 1
        recorder.commit(epoch)
dist.destroy_process_group()
"""


def summary_of(command, run_id):
    outcome = command("summarize", f"run_id={run_id}")
    assert outcome.code == 0, outcome.err
    return local(MlflowClient(), run_id, "summary.tsv").read_bytes()


def test_the_summary_does_not_depend_on_the_number_of_processes(together, command, client):
    summaries = []
    for count in (1, 2, 4):
        done, run_id = together(count, LOOP, "plain")
        assert done.code == 0, done.err
        assert client.get_run(run_id).info.status == "FINISHED"
        assert [metric.value for metric in client.get_metric_history(run_id, "signals.rows")] == [37, 37]
        assert len(re.findall("^next: ", done.out, re.MULTILINE)) == 1  # one process speaks
        summaries.append(summary_of(command, run_id))
    assert summaries[0] == summaries[1] == summaries[2]
    shards = [path for path in artifacts(client, run_id, "signals") if "epoch_0002-" in path]
    assert shards == [f"signals/epoch_0002-0000{index}-of-00004.jsonl" for index in range(4)]


def test_shards_hold_the_same_samples_though_the_sampler_shuffles(together, command):
    done, run_id = together(2, LOOP, "shuffled")
    assert done.code == 0, done.err
    assert summary_of(command, run_id).count(b"\n") == 38


def test_a_process_that_dies_leaves_no_half_observation(together, client):
    done, run_id = together(2, LOOP, "dies")
    assert done.code
    assert [metric.step for metric in client.get_metric_history(run_id, "signals.rows")] == [1]


def test_processes_that_commit_different_observations_are_refused_in_all(together):
    done, _ = together(2, LOOP, "differs")
    assert done.code
    assert done.err.count("SignalError: process 1 commits observation 2, but process 0 observation 1") == 2


TRAINER = """
import sys
sys.path.insert(0, {tests!r})
import trainers
callback = trainers.callback_of("transformers", samples=13, class_names=["low", "high"])
trainers.HuggingFace(callback, learning_rate=0.0, use_cpu=True).trainer.train()
"""


def test_the_callback_divides_its_pass_among_processes(together, command, client):
    """The model never changes, so that signals are the same but for rounding."""
    script = TRAINER.format(tests=str(ROOT / "tests"))
    alone, both = (together(count, script) for count in (1, 2))
    assert (alone[0].code, both[0].code) == (0, 0), alone[0].err + both[0].err
    one, two = (pd.read_csv(io.BytesIO(summary_of(command, run_id)), sep="\t") for _, run_id in (alone, both))
    pd.testing.assert_frame_equal(one, two, rtol=1e-5)
    assert client.get_run(both[1]).data.tags["datamap.observed_samples"] == "13 of 20, seed 0"
    parts = [Path(path).name for path in artifacts(client, both[1], "signals") if "epoch_0001-" in path]
    assert len(parts) == 2


FAILS = """
import sys
sys.path.insert(0, {tests!r})
import contextlib
import torch
import datamap, trainers

alone = sys.argv[1] == "autolog"
if alone:
    datamap.autolog()
callback = None if alone else trainers.callback_of("transformers")
training = trainers.HuggingFace(callback, use_cpu=True)

def break_down(module, given, output):  # in one process, in the second epoch's evaluation pass
    if not module.training and training.trainer.state.global_step > 5 and training.trainer.args.process_index == 1:
        return output * torch.nan

training.model.classifier.register_forward_hook(break_down)
try:
    with callback or contextlib.nullcontext():
        training.trainer.train()
except datamap.errors.SignalError as error:
    sys.stderr.write(f"refused: {{error}}\\n")
sys.stdout.write(f"trained {{training.trainer.state.global_step}}\\n")  # one write: two processes share the stream
"""


@pytest.mark.parametrize(
    ("how", "said"), [("callback", "refused: "), ("autolog", "this training is not recorded: ")]
)
def test_a_pass_that_fails_in_one_process_ends_recording_in_all(together, client, how, said):
    done, run_id = together(2, FAILS.format(tests=str(ROOT / "tests")), how)
    assert done.code == 0 and done.out.count("trained 6") == 2, done.err  # none waits for the other
    for prefix in (said, f"{said}process 1: "):
        assert f"{prefix}observation after 1: scores are not finite" in done.err, done.err
    assert client.get_run(run_id).info.status == "FAILED"
    assert [metric.step for metric in client.get_metric_history(run_id, "signals.rows")] == [1]


def test_processes_that_have_not_joined_are_refused(store, monkeypatch):
    import datamap

    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(datamap.errors.ConfigError, match="WORLD_SIZE=2, but the processes have not joined"):
        datamap.SignalRecorder()
    with datamap.SignalRecorder(gathered=True) as recorder:
        recorder.record([1], [0], logits=[[0.0, 1.0]])
        recorder.commit(1)


LIGHTNING = """
import sys
sys.path.insert(0, {tests!r})
import trainers
callback = trainers.callback_of("lightning", class_names=["low", "high"])
trainers.lightning_training("lightning.pytorch", callback, devices=2, strategy="ddp", num_nodes=1)
"""


def test_lightning_records_under_ddp(together, command, client):
    done, run_id = together(2, LIGHTNING.format(tests=str(ROOT / "tests")))
    assert done.code == 0, done.err
    assert [metric.value for metric in client.get_metric_history(run_id, "signals.rows")] == [20, 20]
    assert summary_of(command, run_id).count(b"\n") == 21
