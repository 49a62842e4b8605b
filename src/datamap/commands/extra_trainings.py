"""The extra trainings of a job: folds and threshold samples, from the beginning to their signals in the run."""

import time
from collections.abc import Callable, Iterable
from functools import partial

import pyarrow as pa

from datamap import schema
from datamap.commands.job import Job
from datamap.errors import counted
from datamap.log import say
from datamap.signals import shards
from datamap.tracking.outbox import Delivery
from datamap.tracking.run import Run
from datamap.training.extra import ExtraTraining

Done = dict[str, set[int]]  # {folder: indices of the extra trainings that the run has already}


def done_in(run: Run) -> Done:
    """Those that the run has already."""
    return {folder: set(run.committed(metric)) for folder, metric in schema.EXTRA_METRICS.items()}


def announce(job: Job, done: Done) -> None:
    """Say how many trainings follow the main one, where any do."""
    left = [extra for extra in job.extra if extra.index not in done[extra.folder]]
    folds, epochs = job.config.data.folds, counted(job.config.trainer.epochs, "epoch")
    if left:
        keys = [f"data.folds={folds}"] * bool(folds)
        keys += ["signals.threshold_samples=true"] * job.config.signals.threshold_samples
        more = counted(len(left), "further training")
        say(f"{more} of {epochs} will follow this one ({', '.join(keys)})")


def train(
    job: Job,
    done: Done,
    bar: Callable[[Iterable], Iterable] = iter,
    send: Callable[[Delivery], None] | None = None,
) -> None:
    """Train each that is not done from the beginning, and send the signals of the samples it observes.

    Args:
        job: the run's training.
        done: what `done_in` gives.
        bar: wraps the iterable of an epoch's batches.
        send: takes a delivery for each training; None in processes that do not own the run.
    """
    for extra in job.extra:
        if extra.index not in done[extra.folder]:
            start = time.perf_counter()
            tables = _train(extra, job, bar)
            if send:
                send(_delivery(extra, tables, job.config.signals.format))
                right = tables[-1][1]["correct"].to_numpy(zero_copy_only=False).mean()
                say(f"{_name(extra)}  {right:.3f}  {time.perf_counter() - start:.1f} s")


def _train(extra: ExtraTraining, job: Job, bar: Callable) -> list[tuple[int, pa.Table]]:
    """[(observation's number, signals of all observed samples)] of an extra training."""
    from datamap.training import modeling, trainer

    trainer.seed_weights(job.config.seed)
    texts = extra.train.texts_a + (extra.train.texts_b or [])
    classifier = modeling.build(job.config.model, texts, len(extra.train.class_names))
    options = job.trainer.options._replace(collect="eval", every_steps=None)
    tables: dict[int, pa.Table] = {}
    training = trainer.Trainer(classifier, extra.train, options, job.processes, observed=extra.observed)
    training.fit(lambda observed: tables.update({observed.number: observed.signals}), bar)
    return [(number, shards.concat(job.processes.gather(table))) for number, table in tables.items()]


def _delivery(extra: ExtraTraining, tables: list[tuple[int, pa.Table]], format: str) -> Delivery:
    metrics: dict[str, float] = {schema.EXTRA_METRICS[extra.folder]: len(extra.observed)}
    return Delivery(extra.index, partial(_files, extra, tables, format), metrics)


def _files(extra, tables, format):
    for number, table in tables:
        shard = schema.Shard("epoch", number, extra.index, extra.count, format, folder=extra.folder)
        shard, content = shards.sealed(table, shard)
        yield shard.path, content
        yield shard.checksums_path, shards.checksums([shard])


def _name(extra: ExtraTraining) -> str:
    if extra.folder == schema.THRESHOLD_DIR:
        return f"{len(extra.observed):,} threshold samples  accuracy on them"
    return f"fold {extra.index + 1} of {extra.count}  accuracy on samples it has not seen"
