"""Numbers of threads and processes of a training."""

import os
import sys

import psutil
import pytest

from conftest import ROOT
from datamap.cli import multirun
from datamap.config import defaults
from datamap.training import shares


@pytest.mark.parametrize(
    ("threads", "jobs", "trainings", "work", "available", "expected"),
    [
        (None, None, 1, 10**6, 4, (1, 4)),  # nothing to run beside it: all cores
        (None, None, 6, 10**6, 4, (4, 1)),
        (None, None, 3, 10**6, 8, (3, 2)),
        (None, None, 6, 100, 4, (1, 4)),  # little to do: one after the other
        (1, None, 6, 100, 4, (1, 1)),
        (1, 3, 6, 100, 2, (3, 1)),  # what is asked for is done
        (8, None, 6, 10**6, 2, (1, 8)),
        (None, 3, 2, 10**6, 8, (2, 4)),  # no more than there are
        (None, 16, 20, 10**6, 4, (16, 1)),
    ],
)
def test_shares(threads, jobs, trainings, work, available, expected):
    assert shares.share_cores(threads, jobs, trainings, work, available) == expected


def test_memory_bounds_what_is_trained_at_a_time():
    free = psutil.virtual_memory().available
    assert shares.trainings_that_fit(free) == 0
    assert abs(shares.trainings_that_fit(0) - free // shares.PROCESS_BYTES) <= 1


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity to set")
def test_cores_are_those_that_the_process_may_use(shell):
    code = "import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))]); from datamap.training import shares; "
    outcome = shell([sys.executable, "-c", f"{code}print(shares.cores())"], PYTHONPATH=str(ROOT / "src"))
    assert outcome.out == "1\n", outcome.err
    assert 1 <= shares.cores() <= os.cpu_count()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, 3),
        ({"trainer": {"jobs": 2}}, 2),
        ({"trainer": {"threads": 2}}, 2),
        ({"trainer": {"device": "gpu:0"}}, 1),
        ({"model": {"name_or_path": "ernie-3.0-base-zh"}}, 1),
        ({"model": {"name_or_path": "ernie-3.0-base-zh"}, "trainer": {"jobs": 3}}, 3),
        ({"resume": True}, 1),
    ],
)
def test_jobs_of_a_multirun_at_a_time(monkeypatch, given, expected):
    monkeypatch.setattr(shares, "cores", lambda: 4)
    monkeypatch.setattr(shares, "trainings_that_fit", lambda parameters: 16)
    jobs = [
        multirun.MultirunJob(number, defaults("train", data={"path": "x", "dev_path": None}, **given), [], "")
        for number in range(3)
    ]
    assert multirun.at_a_time(jobs).jobs == expected
