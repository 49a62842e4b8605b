"""Prepare a training: check all that can be checked, before a run is made."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from datamap import schema
from datamap.config import TrainConfig
from datamap.data.dataset import AnyDataset, TextDataset
from datamap.data.units import UnitDataset
from datamap.errors import TrackingError
from datamap.log import say
from datamap.paddle_backend import checkpoints
from datamap.paddle_backend.checkpoints import Checkpoint
from datamap.paddle_backend.options import FitOptions
from datamap.paddle_backend.tokens import Words
from datamap.processes import Processes
from datamap.training import bars, extra, shares
from datamap.training.extra import ExtraTraining
from datamap.training.resumption import ResumePoint
from datamap.training.texts import LabeledTexts
from datamap.translations import Amount

if TYPE_CHECKING:
    from datamap.paddle_backend.trainer import Trainer


@dataclass(frozen=True)
class PreparedTraining:
    """Hold a training that is ready to begin.

    Attributes:
        config: keys of conf/train.yaml, with the number of CPU threads filled in.
        processes: the processes that train together.
        data: samples to train on and to measure on.
        trainer: trainer of the main training.
        extra: further trainings on the same samples (folds, threshold samples).
        jobs: number of trainings at a time, the main one included.
        start: point from which the training continues.
        checkpoint: state of training after the last committed observation; None at the beginning.
        slot: number of the checkpoint slot to write next.
    """

    config: TrainConfig
    processes: Processes
    data: LabeledTexts
    trainer: "Trainer"
    extra: list[ExtraTraining]
    jobs: int
    start: ResumePoint
    checkpoint: Checkpoint | None
    slot: int

    @property
    def unit(self) -> str:
        """Return the unit in which observations are numbered: "epoch" or "step"."""
        return "epoch" if self.config.signals.every == "epoch" else "step"

    @property
    def last(self) -> int:
        """Return the number of the last observation."""
        steps = 1 if self.unit == "epoch" else self.trainer.steps_per_epoch
        return self.trainer.options.epochs * steps

    @property
    def format(self) -> str:
        """Return the format of signal files; an observation has a record for each label."""
        return schema.chosen_format(self.config.signals.format, self.trainer.labels.size)


def prepare(
    config: TrainConfig, processes: Processes, data: LabeledTexts, start: ResumePoint
) -> PreparedTraining:
    """Load the model, tokenize the texts and restore the checkpoint of `start`.

    Args:
        config: keys of conf/train.yaml.
        processes: the processes that train together.
        data: samples to train on and to measure on.
        start: point from which the training continues.

    Raises:
        TrainingError: the run has observations, and no complete checkpoint.
        TrackingError: the texts have changed since the run was trained on them.
        DataMapError: the model, the texts and the config do not fit together; nothing has been logged.
    """
    samples = data.samples
    if start.run and samples.digest != start.digest:
        raise TrackingError(
            f"run {start.run.run_id}: {samples.path} has changed since training (digest {samples.digest}); restore it"
        )
    extra_trainings = _extra_trainings(config, data)
    share = _share_cores(config, processes, len(samples), 1 + len(extra_trainings))
    config = replace(config, trainer=replace(config.trainer, threads=share.threads))
    options, checkpoint, slot = fit_options(config), None, -1
    if start.run and start.committed:
        checkpoint, slot = checkpoints.load(start.run.artifacts.find, max(start.committed))
    # These import Paddle, so cheaper checks come first.
    from datamap.paddle_backend import modeling, objectives, trainer

    trainer.use_device(config.trainer.device, share.threads)
    trainer.seed_weights(config.seed)
    if config.model.name_or_path:
        say("loading the model {model}", model=config.model.name_or_path)
    head = objectives.objective_of(samples).head
    classifier = modeling.build(config.model, data.texts, samples.class_names, head)
    main = trainer.Trainer(classifier, samples, options, processes, dev=data.dev, bar=bars.tokenized_texts)
    _note_cut_words(samples, main.tokens.words, config.trainer.max_length)
    if checkpoint:
        main.restore(checkpoint)
    jobs = share.jobs
    if not config.trainer.jobs:  # cores tell nothing about memory, least of all a GPU's
        jobs = min(jobs, 1 + shares.trainings_that_fit(main.parameters)) if trainer.on_cpu() else 1
    return PreparedTraining(config, processes, data, main, extra_trainings, jobs, start, checkpoint, slot + 1)


def _note_cut_words(samples: AnyDataset, words: Words | None, max_length: int) -> None:
    """Say how many words have no signals, as they are beyond the length that the model reads."""
    if words is None or not isinstance(samples, UnitDataset) or samples.words is None:
        return
    cut = np.array(list(map(len, samples.words))) - words.counts
    if cut.any():
        say(
            "note: {tokens} of {sentences} are beyond trainer.max_length={max_length} and have no signals",
            tokens=Amount(int(cut.sum()), "token"),
            sentences=Amount(int((cut > 0).sum()), "sentence"),
            max_length=max_length,
        )


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
    if config.signals.threshold_samples and isinstance(samples, TextDataset):  # else `texts.load` refuses
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
