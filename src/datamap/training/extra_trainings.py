"""Train the extra trainings of a run, folds and threshold samples, and log their signals into the run."""

import time
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial

import pyarrow as pa

from datamap import schema
from datamap.config import TrainConfig
from datamap.data.units import UnitDataset
from datamap.log import say
from datamap.paddle_backend.tokens import Tokens
from datamap.processes import Processes
from datamap.signals import shards
from datamap.tracking.delivery import Delivery
from datamap.tracking.run import Run
from datamap.training.extra import ExtraTraining
from datamap.training.preparation import PreparedTraining, fit_options
from datamap.training.workers import Worker, WorkerPool
from datamap.translations import Amount, translate

Finished = dict[str, set[int]]  # {folder: indices of the extra trainings that the run has already}
Tables = list[tuple[int, pa.Table]]  # [(observation's number, signals of all observed samples)]


def finished_in(run: Run) -> Finished:
    """Return the extra trainings that the run has already."""
    return {folder: set(run.committed(metric)) for folder, metric in schema.EXTRA_METRICS.items()}


class ExtraTrainings(WorkerPool[ExtraTraining]):
    """Run the extra trainings that the run does not have yet, alongside the main training and after it.

    As a context it runs `training.jobs` - 1 workers, each of which trains one after the other; `finish` trains the
    rest in this process. A training gives the same signals in any process.

    Args:
        training: the main training, with its extra trainings.
        finished: the extra trainings that the run has already (see `finished_in`).
        send: function that logs a delivery, one for each training; None in processes that do not own the run.
    """

    def __init__(
        self, training: PreparedTraining, finished: Finished, send: Callable[[Delivery], None] | None = None
    ) -> None:
        self.training, self.send = training, send
        left = deque(extra for extra in training.extra if extra.index not in finished[extra.folder])
        super().__init__(left, training.jobs - 1, _train_alone, training.config, self._train_in_worker)

    def announce(self) -> None:
        """Print the number of extra trainings, if there are any."""
        config, left = self.training.config, len(self.left)
        if not left:
            return
        keys = [f"data.folds={config.data.folds}"] * bool(config.data.folds)
        keys += ["signals.threshold_samples=true"] * config.signals.threshold_samples
        now = "{trainings} of {epochs} each run alongside this one, {jobs} at a time ({keys})"
        say(
            now if self.training.jobs > 1 else "{trainings} of {epochs} each will follow this one ({keys})",
            trainings=Amount(left, "further training"),
            epochs=Amount(config.trainer.epochs, "epoch"),
            jobs=self.training.jobs,
            keys=translate(", ").join(keys),
        )

    def finish(self, bar: Callable[[Iterable], Iterable] = iter) -> None:
        """Train the remaining extra trainings here, and wait for the workers.

        Args:
            bar: function that wraps the iterable of an epoch's batches in a progress bar.

        Raises:
            DataMapError: a training failed, here or in a worker.
        """
        training = self.training
        while extra := self.next():
            start = time.perf_counter()
            self._done(
                extra, _train(extra, training.config, training.processes, self._tokens(extra), bar), start
            )
        self.wait()

    def _train_in_worker(self, worker: Worker, extra: ExtraTraining) -> None:
        """Train in a worker; called in a thread."""
        start = time.perf_counter()
        self._done(extra, worker.call(extra, self._tokens(extra)), start)

    def _tokens(self, extra: ExtraTraining) -> tuple[Tokens, Tokens] | None:
        """Return the tokens of the main training if the vocabulary is the same, else None.

        A model from scratch makes its vocabulary from the texts that it trains on, and these differ
        (`ExtraTraining.texts`).
        """
        same = extra.folder == schema.THRESHOLD_DIR or isinstance(extra.train, UnitDataset)
        if self.training.config.model.name_or_path or same:
            tokens = self.training.trainer.tokens
            return tokens.take(extra.rows), tokens.take(extra.observed_rows)
        return None

    def _done(self, extra: ExtraTraining, tables: Tables, start: float) -> None:
        if self.send:
            self.send(_delivery(extra, tables, self.training.format))
            right = tables[-1][1]["correct"].to_numpy(zero_copy_only=False).mean()
            seconds = translate("{seconds:.1f} s", seconds=time.perf_counter() - start)
            say(f"{_name(extra)}  {right:.3f}  {seconds}")


def _train(
    extra: ExtraTraining,
    config: TrainConfig,
    processes: Processes,
    tokens: tuple[Tokens, Tokens] | None,
    bar: Callable[[Iterable], Iterable] = iter,
) -> Tables:
    from datamap.paddle_backend import modeling, objectives, trainer

    trainer.seed_weights(config.seed)
    head = objectives.objective_of(extra.train).head
    classifier = modeling.build(config.model, extra.texts, extra.train.class_names, head)
    options = fit_options(config)._replace(collect="eval", every_steps=None)
    tables: dict[int, pa.Table] = {}
    training = trainer.Trainer(
        classifier, extra.train, options, processes, observed=extra.observed, tokens=tokens
    )
    training.fit(lambda observed: tables.update({observed.number: observed.signals}), bar)
    return [(number, shards.concat(processes.gather(table))) for number, table in tables.items()]


def _train_alone(config: TrainConfig, extra: ExtraTraining, tokens: tuple[Tokens, Tokens] | None) -> Tables:
    """Train an extra training in a worker process, and return its signals."""
    from datamap.paddle_backend import trainer

    assert config.trainer.threads
    trainer.use_device(config.trainer.device, config.trainer.threads)
    return _train(extra, config, Processes(), tokens)


def _delivery(extra: ExtraTraining, tables: Tables, format: str) -> Delivery:
    metrics: dict[str, float] = {schema.EXTRA_METRICS[extra.folder]: tables[-1][1].num_rows}
    return Delivery(extra.index, partial(_files, extra, tables, format), metrics)


def _files(extra, tables, format):
    for number, table in tables:
        shard = schema.Shard("epoch", number, extra.index, extra.count, format, folder=extra.folder)
        shard, content = shards.sealed(table, shard)
        yield shard.path, content
        yield shard.checksums_path, shards.checksums([shard])


def _name(extra: ExtraTraining) -> str:
    if extra.folder == schema.THRESHOLD_DIR:
        return translate("{count:,} threshold samples  accuracy on them", count=len(extra.observed))
    fold = "fold {number} of {count}  accuracy on samples it has not seen"
    return translate(fold, number=extra.index + 1, count=extra.count)
