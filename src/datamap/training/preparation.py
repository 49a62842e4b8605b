"""From a config to a training that can begin: all that can be checked is checked, and no run is made yet."""

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
from datamap.training.texts import Labelled

if TYPE_CHECKING:
    from datamap.paddle_backend.trainer import Trainer


@dataclass(frozen=True)
class Progress:
    """How far a run has come: nowhere by default.

    `committed` is {number: rows} of the observations that it has; `slot` takes the next checkpoint.
    """

    checkpoint: Checkpoint | None = None
    slot: int = 0
    committed: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """A training that can begin. `jobs` are trained at a time: this one, and as many of `extra` as that leaves."""

    config: TrainConfig
    processes: Processes
    labelled: Labelled
    trainer: "Trainer"
    extra: list[ExtraTraining]
    jobs: int
    progress: Progress

    @property
    def unit(self) -> str:
        """What observations are numbered by: "epoch" or "step"."""
        return "epoch" if self.config.signals.every == "epoch" else "step"


def prepared(
    config: TrainConfig,
    processes: Processes,
    labelled: Labelled,
    progress: Progress | None = None,
    bar: Callable[[Iterable], Iterable] = iter,
) -> Job:
    """Load the model, tokenize the texts (`bar` shows how far), and take over the checkpoint where there is one.

    Raises:
        DataMapError: something does not fit; nothing has been logged.
    """
    progress = progress or Progress()
    extra_trainings = _extra_trainings(config, labelled)
    options = fit_options(config)
    share = _shares(config, processes, len(labelled.samples), 1 + len(extra_trainings))
    config = replace(config, trainer=replace(config.trainer, threads=share.threads))
    from datamap.paddle_backend import modeling, trainer  # imports paddle: what is cheaper comes first

    shares.use(share.threads)
    if config.trainer.device:
        trainer.use_device(config.trainer.device)
    trainer.seed_weights(config.seed)
    if config.model.name_or_path:
        say(f"loading the model {config.model.name_or_path}")
    classifier = modeling.build(config.model, labelled.texts, len(labelled.samples.class_names))
    main = trainer.Trainer(classifier, labelled.samples, options, processes, dev=labelled.dev, bar=bar)
    if progress.checkpoint:
        main.restore(progress.checkpoint)
    jobs = share.jobs
    if not config.trainer.jobs:  # cores do not tell what memory holds, let alone a GPU's
        jobs = min(jobs, 1 + shares.room(main.parameters)) if trainer.on_cpu() else 1
    return Job(config, processes, labelled, main, extra_trainings, jobs, progress)


def _shares(config: TrainConfig, processes: Processes, samples: int, trainings: int) -> shares.Shares:
    available = max(1, shares.cores() // processes.count)
    # Those that train together train the folds together.
    jobs = config.trainer.jobs if processes.count == 1 else 1
    return shares.shared(config.trainer.threads, jobs, trainings, samples * config.trainer.epochs, available)


def _extra_trainings(config: TrainConfig, labelled: Labelled) -> list[ExtraTraining]:
    folds, samples = config.data.folds, labelled.samples
    found = extra.folds(samples, folds, config.seed, schema.HOLDOUT_DIR) if folds else []
    if config.signals.threshold_samples:
        found.append(extra.threshold(samples, config.seed, schema.THRESHOLD_DIR))
    return found


def fit_options(config: TrainConfig) -> FitOptions:
    """`trainer` and `signals` of the config, as training needs them."""
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
