"""Train a Hydra multirun (`-m seed=1,2,3`): a parent run, a child run with a map per job, and their comparison."""

import contextlib
import importlib.metadata
import os
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from datamap.cli import process
from datamap.config import PlotConfig, TrainConfig, defaults
from datamap.errors import DataMapError
from datamap.log import say
from datamap.pipeline.compare import compare
from datamap.pipeline.plot import plot
from datamap.pipeline.train import train
from datamap.tracking.run import PARENT_TAG, Run
from datamap.tracking.store import Store
from datamap.training import shares
from datamap.training.workers import Worker, WorkerPool
from datamap.translations import Amount, speak


class MultirunJob(NamedTuple):
    """Describe one training of a multirun; its run is called `name`."""

    number: int  # from 0, in the order of the sweep
    config: TrainConfig
    overrides: list[str]
    name: str


class Multirun(contextlib.ExitStack):
    """Collect the jobs of a multirun with `add`, then `train` them; as a context it ends the parent run.

    Args:
        name: name of the parent run where `tracking.run_name` gives none.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.jobs: list[MultirunJob] = []
        self.plot, self.comparison = defaults("plot", run_id="-"), defaults("compare", runs="-")

    def add(self, config: TrainConfig, overrides: list[str], name: str) -> None:
        """Add a job whose run is called `name`."""
        self.jobs.append(MultirunJob(len(self.jobs), config, overrides, name))

    def train(self) -> None:
        """Train, summarize and plot each job, as many at a time as cores allow; then compare them, in the parent run.

        A job that fails does not stop the others.

        Raises:
            DataMapError: the error of the first job that failed, raised when all jobs are done.
        """
        if not self.jobs:  # a flag such as `--cfg job` made Hydra print the config and start no job
            return
        speak(self.jobs[0].config.lang)
        tracking = self.jobs[0].config.tracking
        store = Store(tracking.uri, tracking.experiment, create=True)
        parent = self.enter_context(store.new_run(tracking.run_name or self.name, tracking.tags))
        os.environ.pop("MLFLOW_RUN_ID", None)  # it named the parent: the children must not adopt the same run
        say("parent run {run}  ({address})", run=parent.run_id, address=parent.address)
        made, failed = self._made(parent)
        if len(made) < 2:
            say("note: only {runs} left to compare, so there is no comparison", runs=Amount(len(made), "run"))
        else:
            runs = [made[number] for number in sorted(made)]
            compare(replace(self.comparison, runs=runs, tracking=tracking), parent)
        if failed:
            raise failed[min(failed)]

    def _made(self, parent: Run) -> tuple[dict[int, str], dict[int, DataMapError]]:
        """Train all jobs; return {number of a job: id of its run}, and {number of a failed job: its error}."""
        made: dict[int, str] = {}
        failed: dict[int, DataMapError] = {}

        def guarded(trained: Callable[[MultirunJob], str], job: MultirunJob) -> None:
            try:
                made[job.number] = trained(job)
            except DataMapError as error:  # the other jobs continue
                failed[job.number] = error

        jobs, together = [_child_of(parent, job) for job in self.jobs], at_a_time(self.jobs)
        if together.jobs == 1:
            for job in jobs:
                guarded(partial(_trained, self.plot), job)
            return made, failed
        trainings = Amount(len(jobs), "training")
        say("{trainings}, {jobs} at a time (trainer.jobs)", trainings=trainings, jobs=together.jobs)
        left = deque(_alone(job, together.threads) for job in jobs)

        def take(worker: Worker, job: MultirunJob) -> None:
            guarded(worker.call, job)

        with WorkerPool(left, together.jobs, _trained_in_worker, self.plot, take) as workers:
            workers.wait()
        return made, failed


def at_a_time(jobs: list[MultirunJob]) -> shares.Shares:
    """Return how many jobs to train at a time, and with how many CPU threads each.

    `trainer.jobs` decides. Without it only models from scratch are trained several at a time, and only on CPU, because
    they are small enough to fit into memory together.
    """
    trainer, models = jobs[0].config.trainer, [job.config.model for job in jobs]
    max_jobs = trainer.jobs
    if not max_jobs and (any(model.name_or_path for model in models) or _on_gpu(trainer.device)):
        max_jobs = 1
    if int(os.environ.get("PADDLE_TRAINERS_NUM", 1)) > 1 or any(job.config.resume for job in jobs):
        max_jobs = 1
    found = shares.share_cores(trainer.threads, max_jobs, len(jobs), shares.MIN_WORK, shares.cores())
    return found if max_jobs else found._replace(jobs=min(found.jobs, max(1, shares.trainings_that_fit(0))))


def _on_gpu(device: str | None) -> bool:
    if device:
        return not device.startswith("cpu")
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return bool(importlib.metadata.version("paddlepaddle-gpu"))
    return False


def _child_of(parent: Run, job: MultirunJob) -> MultirunJob:
    tracking = job.config.tracking
    tags = {**(tracking.tags or {}), PARENT_TAG: parent.run_id}
    return job._replace(config=replace(job.config, tracking=replace(tracking, tags=tags, run_name=job.name)))


def _alone(job: MultirunJob, threads: int) -> MultirunJob:
    """Return a job that uses only its share of the cores, and trains one model at a time."""
    trainer = replace(job.config.trainer, threads=job.config.trainer.threads or threads, jobs=1)
    return job._replace(config=replace(job.config, trainer=trainer))


def _trained(config: PlotConfig, job: MultirunJob) -> str:
    """Train, summarize and plot a job, and return the id of its run."""
    run_id = train(job.config, job.overrides).run_id
    plot(replace(config, run_id=run_id, tracking=job.config.tracking))
    return run_id


def _trained_in_worker(config: PlotConfig, job: MultirunJob) -> str:
    """Train, summarize and plot a job in a worker process, whose lines begin with the job's name."""
    process.begin(f"{job.name}: ")
    return _trained(config, job)
