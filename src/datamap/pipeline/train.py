"""Fine-tune a text classifier and log the signals of every training sample, epoch by epoch."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from datamap.config import TrainConfig, to_yaml
from datamap.errors import ConfigError
from datamap.paddle_backend.processes import Processes
from datamap.tracking.run import Run
from datamap.tracking.store import Store
from datamap.training import bars, resumption, session, texts
from datamap.training.preparation import PreparedTraining, prepare
from datamap.translations import speak


def train(config: TrainConfig, overrides: Sequence[str] = ()) -> Run:
    """Fine-tune a text classifier, log the signals of every training sample, epoch by epoch, and return the run.

    Args:
        config: keys of conf/train.yaml.
        overrides: overrides that the user gave, to be logged with the config.

    Raises:
        ConfigError: keys of the config contradict each other; no run is made then.
        DataMapError: the data or the model cannot be read, or training failed.
    """
    if config.signals.collect == "train" and config.signals.every != "epoch":
        raise ConfigError("signals.collect=train observes once an epoch: leave signals.every=epoch")
    processes = Processes(config.trainer.device)
    speak(config.lang)
    if config.resume:
        return _resume(config, processes)
    config = replace(config, data=texts.resolved_data(config))
    training = prepare(config, processes, texts.load(config), bar=bars.tokenized_texts)
    if not processes.first:
        return session.join(training)
    store = Store(config.tracking.uri, config.tracking.experiment, create=True)
    with store.new_run(config.tracking.run_name, config.tracking.tags) as run:
        session.lead(training, run, partial(_log_start, run, training, overrides))
    return run


def _resume(config: TrainConfig, processes: Processes) -> Run:
    """Resume a run after its last committed observation, with the run's own config."""
    run = resumption.find_run(config, processes)
    run.speak(config.lang)
    config = resumption.config_of(run, config)
    data = texts.load(config)
    resumption.refuse_other_data(run, data)
    training = prepare(config, processes, data, resumption.resume_point(run), bars.tokenized_texts)
    if not processes.first:
        return session.join(training)
    with run.until_end():
        session.lead(training, run)
    return run


def _log_start(run: Run, training: PreparedTraining, overrides: Sequence[str]) -> None:
    run.log_config("train", to_yaml(training.config), overrides)
    run.log_params(_params(training.config))
    texts.log(run, training.data, training.config.log_text)


def _params(config: TrainConfig) -> dict[str, object]:
    """Return the few keys that tell runs apart, as {param: value}.

    MLflow's UI shows all params above a run's map, where many would push the map out of sight. The complete config is
    the artifact config/train.yaml.
    """
    data, trainer = config.data, config.trainer
    return {
        "data": data.name,
        "model": config.model.name,
        "seed": config.seed,
        "epochs": trainer.epochs,
        "batch_size": trainer.batch_size,
        "lr": trainer.lr,
        **({"sample": data.sample} if data.sample else {}),
        **({"flip_ratio": data.flip_ratio} if data.flip_ratio else {}),
        **({"folds": data.folds} if data.folds else {}),
        **({"threads": trainer.threads} if trainer.threads != 1 else {}),
        **({"every": config.signals.every} if config.signals.every != "epoch" else {}),
        **({"collect": config.signals.collect} if config.signals.collect != "eval" else {}),
    }
