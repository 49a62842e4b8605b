"""Preparation of a training: all that can be checked is checked, and no run is made yet."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from datamap import schema
from datamap.config import TrainConfig
from datamap.log import say
from datamap.paddle_backend.checkpoints import Checkpoint
from datamap.paddle_backend.options import FitOptions
from datamap.paddle_backend.processes import Processes
from datamap.training import extra, shares
from datamap.training.extra import ExtraTraining
from datamap.training.texts import LabeledTexts

if TYPE_CHECKING:
    from datamap.paddle_backend.trainer import Trainer


@dataclass(frozen=True)
class ResumePoint:
    """The point from which a run goes on: its beginning by default.

    Attributes:
        checkpoint: the state of training after the last committed observation; None at the beginning.
        slot: number of the checkpoint that is written next.
        committed: {number: rows} of the observations that the run has.
    """

    checkpoint: Checkpoint | None = None
    slot: int = 0
    committed: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class PreparedTraining:
    """A training that can begin.

    Attributes:
        config: with the number of CPU threads filled in.
        processes: that train together.
        data: the samples to train and to measure on.
        trainer: of the main training.
        extra: further trainings on the same samples (folds, threshold samples).
        jobs: trainings at a time: the main one, and as many of `extra` as that leaves.
        start: the point from which the training goes on.
    """

    config: TrainConfig
    processes: Processes
    data: LabeledTexts
    trainer: "Trainer"
    extra: list[ExtraTraining]
    jobs: int
    start: ResumePoint

    @property
    def unit(self) -> str:
        """Return the unit in which observations are numbered: "epoch" or "step"."""
        return "epoch" if self.config.signals.every == "epoch" else "step"


def prepare(
    config: TrainConfig,
    processes: Processes,
    data: LabeledTexts,
    start: ResumePoint | None = None,
    bar: Callable[[Iterable], Iterable] = iter,
) -> PreparedTraining:
    """Load the model, tokenize the texts (`bar` shows the progress) and restore the checkpoint of `start`.

    Raises:
        DataMapError: something does not fit; nothing has been logged.
    """
    start = start or ResumePoint()
    extra_trainings = _extra_trainings(config, data)
    share = _share_cores(config, processes, len(data.samples), 1 + len(extra_trainings))
    config = replace(config, trainer=replace(config.trainer, threads=share.threads))
    from datamap.paddle_backend import modeling, trainer  # imports paddle: what is cheaper comes first

    shares.set_threads(share.threads)
    if config.trainer.device:
        trainer.use_device(config.trainer.device)
    trainer.seed_weights(config.seed)
    if config.model.name_or_path:
        say("loading the model {model}", model=config.model.name_or_path)
    classifier = modeling.build(config.model, data.texts, len(data.samples.class_names))
    main = trainer.Trainer(classifier, data.samples, fit_options(config), processes, dev=data.dev, bar=bar)
    if start.checkpoint:
        main.restore(start.checkpoint)
    jobs = share.jobs
    if not config.trainer.jobs:  # the number of cores says nothing of memory, let alone of a GPU's
        jobs = min(jobs, 1 + shares.trainings_that_fit(main.parameters)) if trainer.on_cpu() else 1
    return PreparedTraining(config, processes, data, main, extra_trainings, jobs, start)


def _share_cores(config: TrainConfig, processes: Processes, samples: int, trainings: int) -> shares.Shares:
    available = max(1, shares.cores() // processes.count)
    # Processes that train together train the folds together, one after the other.
    jobs = config.trainer.jobs if processes.count == 1 else 1
    return shares.share_cores(
        config.trainer.threads, jobs, trainings, samples * config.trainer.epochs, available
    )


def _extra_trainings(config: TrainConfig, data: LabeledTexts) -> list[ExtraTraining]:
    folds, samples = config.data.folds, data.samples
    trainings = extra.fold_trainings(samples, folds, config.seed, schema.HOLDOUT_DIR) if folds else []
    if config.signals.threshold_samples:
        trainings.append(extra.threshold_training(samples, config.seed, schema.THRESHOLD_DIR))
    return trainings


def fit_options(config: TrainConfig) -> FitOptions:
    """Return the keys of `trainer` and `signals` that a `Trainer` needs."""
    trainer, signals = config.trainer, config.signals
    return FitOptions(
        seed=config.seed,
        epochs=trainer.epochs,
        batch_size=trainer.batch_size,
        eval_batch_size=signals.batch_size,
        max_length=trainer.max_length,
        lr=trainer.lr,
        warmup=trainer.warmup,
        weight_decay=trainer.weight_decay,
        every_steps=None if signals.every == "epoch" else signals.every,
        collect=signals.collect,
    )
