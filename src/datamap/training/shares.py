"""Share cores and memory among trainings: how many run at a time, and on how many CPU threads each."""

from typing import NamedTuple

PROCESS_BYTES = 10**9  # memory of a process with Paddle, without its model (measured: 0.8 GB)
PARAMETER_BYTES = 32  # weight, gradient and two moments in float32, and as much for activations
MIN_WORK = 10_000  # samples × epochs; with fewer, starting a process takes as long as the training itself


class Shares(NamedTuple):
    """Hold the number of trainings at a time, `jobs`, and the CPU threads of each, `threads`."""

    jobs: int
    threads: int


def cores() -> int:
    """Return the number of physical cores that this process's affinity and container allow."""
    import joblib  # a dependency of scikit-learn

    return joblib.cpu_count(only_physical_cores=True)


def share_cores(threads: int | None, jobs: int | None, trainings: int, work: int, available: int) -> Shares:
    """Share `available` cores among a number of trainings.

    Args:
        threads: CPU threads of each training; None = its share of the cores.
        jobs: trainings at a time; None = as many as the cores hold, or 1 where there is little to do.
        trainings: the number of trainings in all.
        work: samples × epochs of one training.
        available: cores to share.

    >>> share_cores(None, None, trainings=1, work=100_000, available=8)
    Shares(jobs=1, threads=8)
    >>> share_cores(None, None, trainings=4, work=100_000, available=8)
    Shares(jobs=4, threads=2)
    >>> share_cores(1, None, trainings=6, work=100_000, available=4)
    Shares(jobs=4, threads=1)
    """
    fitting = 1 if work < MIN_WORK else max(1, available // (threads or 1))
    jobs = min(trainings, jobs or fitting)
    return Shares(jobs, threads or max(1, available // jobs))


def trainings_that_fit(parameters: int) -> int:
    """Return how many further trainings of a model with so many parameters fit into the free memory."""
    import psutil

    return psutil.virtual_memory().available // (PROCESS_BYTES + PARAMETER_BYTES * parameters)
