"""How the cores are shared: trainings at a time, and CPU threads of each."""

from typing import NamedTuple

PROCESS = 10**9  # bytes of memory of a process with Paddle, beside its model (0.8 GB were measured)
PARAMETER = (
    32  # bytes of memory for each parameter: weight, gradient, two moments in float32, and as much again
)
LITTLE = 10_000  # samples × epochs of a training; of fewer, starting a process takes as long as training them


class Shares(NamedTuple):
    """`jobs` trainings at a time, this process's among them, on `threads` CPU threads each."""

    jobs: int
    threads: int


def cores() -> int:
    """Physical cores that this process may use: no more than its affinity and its container allow."""
    import joblib  # of scikit-learn

    return joblib.cpu_count(only_physical_cores=True)


def shared(threads: int | None, jobs: int | None, trainings: int, work: int, available: int) -> Shares:
    """Share `available` cores among a number of trainings.

    Args:
        threads: of each training; None = its share of the cores.
        jobs: trainings at a time; None = as many as the cores hold, or 1 where there is little to do.
        work: samples × epochs of one training.

    >>> shared(None, None, trainings=1, work=100_000, available=8)
    Shares(jobs=1, threads=8)
    >>> shared(None, None, trainings=4, work=100_000, available=8)
    Shares(jobs=4, threads=2)
    >>> shared(1, None, trainings=6, work=100_000, available=4)
    Shares(jobs=4, threads=1)
    """
    fitting = 1 if work < LITTLE else max(1, available // (threads or 1))
    jobs = min(trainings, jobs or fitting)
    return Shares(jobs, threads or max(1, available // jobs))


def room(parameters: int) -> int:
    """How many further trainings of a model with so many parameters the free memory holds."""
    import psutil

    return psutil.virtual_memory().available // (PROCESS + PARAMETER * parameters)


def use(threads: int) -> None:
    """Let Paddle compute on that many CPU threads, from now on and in this process.

    Paddle takes the number from OpenMP (its own flag, FLAGS_paddle_num_threads, changes nothing on CPU),
    which has it from the environment when Paddle is imported and otherwise from here.
    """
    import threadpoolctl  # of scikit-learn

    threadpoolctl.threadpool_limits(threads, user_api="openmp")
