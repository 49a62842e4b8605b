"""The map so far, and what it may cost."""

import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from conftest import SMALL_MODEL
from datamap.summaries.dynamics import avg_probs, correct_ratio, label_var
from datamap.training import live_map as live

TABLE = pa.table({"label": [0, 1], "label_probs": [0.1, 0.9], "correct": [False, True]})


def test_a_running_summary_is_the_summary():
    random = np.random.default_rng(0)
    probs = random.random((9, 50))
    correct = probs > 0.5
    running = live.RunningSummary()
    for p, c in zip(probs, correct, strict=True):
        running.add(p, c)
    expected = pd.DataFrame(
        {
            "avg_probs": avg_probs(probs),
            "label_var": label_var(probs),
            "correct_ratio": correct_ratio(correct),
        }
    )
    pd.testing.assert_frame_equal(running.frame(), expected, rtol=1e-12)


def test_it_draws_only_where_that_is_cheap(monkeypatch):
    said, clock = [], [0.0]
    monkeypatch.setattr(live.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(live, "say", lambda text, **values: said.append(text.format(**values)))
    found = live.LiveMap(2, since=0)
    found.cost = 1.0
    found.add(TABLE)
    clock[0] = 49
    assert found.picture() is None
    assert found.picture() is None
    assert len(said) == 1 and "drawing the map takes 1.0 s" in said[0]
    clock[0] = 51
    assert found.picture().shape == (640, 640, 4)
    found.record_cost(0.5)
    clock[0] = 60
    assert found.picture() is None
    clock[0] = 77
    assert found.picture() is not None


@pytest.mark.parametrize("every", ["epoch", "4"])
def test_the_last_observation_is_on_the_map_whatever_that_costs(
    command, pairs_file, store, monkeypatch, every
):
    from mlflow import MlflowClient

    monkeypatch.setattr(live, "SHARE", 0)
    every = f"signals.every={every}"
    outcome = command("train", "data=file", f"data.path={pairs_file}", *SMALL_MODEL, every, "plot.live=true")
    found = MlflowClient().list_artifacts(outcome.out.split()[1], "images")
    assert sum("data_map" in file.path and file.path.endswith(".png") for file in found) == 1


@pytest.mark.parametrize("on", [True, False])
def test_training_logs_it_by_epoch(command, pairs_file, store, monkeypatch, on):
    from mlflow import MlflowClient

    monkeypatch.setattr(live, "SHARE", 1e9)  # these epochs take milliseconds
    outcome = command(
        "train", "data=file", f"data.path={pairs_file}", *SMALL_MODEL, f"plot.live={str(on).lower()}"
    )  # fmt: skip
    run_id = outcome.out.split()[1]
    first, _, last = re.findall(r"epoch \d of 3 .*", outcome.out)
    assert re.search(r"\d s, \d+ s left  \d\d:\d\d:\d\d$", first) and "left" not in last
    found = [
        file.path for file in MlflowClient().list_artifacts(run_id, "images") if file.path.endswith(".png")
    ]
    steps = {"data_map": [], "while_training": []}
    for path in found:
        name, step = re.search(r"maps.(\w+)\+step\+(\d+)\+", path).groups()
        steps[name].append(int(step))
    # The newest map alone, and how it formed from the second observation on, when samples begin to vary: that picture
    # is also at 0, where MLflow's slider starts.
    assert sorted(steps["data_map"]) == ([0, 0, 0] if on else [])
    assert sorted(steps["while_training"]) == ([0, 2, 3] if on else [])


def test_a_resumed_run_goes_on_with_the_whole_map(command, pairs_file, store, monkeypatch):
    from mlflow import MlflowClient

    seen = []
    monkeypatch.setattr(live, "SHARE", 1e9)
    monkeypatch.setattr(
        live.LiveMap, "_draw", lambda self, frame: seen.append(frame) or np.zeros((9, 9, 3), np.uint8)
    )
    undisturbed = command("train", "data=file", f"data.path={pairs_file}", *SMALL_MODEL, "plot.live=true")
    expected = seen[-1]
    run_id = undisturbed.out.split()[1]
    client = MlflowClient()
    undone = {"loss": None}
    from datamap.training.loggers import RunLogger

    # The same training once more, stopped after its first observation.
    take = RunLogger.__call__

    def stop(self, observed):
        take(self, observed)
        if undone.pop("loss", 1) is None:
            raise KeyboardInterrupt

    monkeypatch.setattr(RunLogger, "__call__", stop)
    stopped = command("train", "data=file", f"data.path={pairs_file}", *SMALL_MODEL, "plot.live=true")
    assert stopped.code == 130
    again = stopped.out.split()[1]
    assert again != run_id and len(client.get_metric_history(again, "signals.rows")) == 1
    assert command("train", "resume=true", f"run_id={again}").code == 0
    pd.testing.assert_frame_equal(seen[-1], expected)
