"""Fine-tune a text classifier and log the signals of every training sample, epoch by epoch."""

from collections.abc import Sequence

from datamap.config import TrainConfig
from datamap.errors import ConfigError
from datamap.paddle_backend.processes import join_processes
from datamap.tracking.run import Run
from datamap.tracking.spool import checked_folder
from datamap.training import resumption, session, texts
from datamap.training.preparation import prepare
from datamap.translations import speak


def train(config: TrainConfig, overrides: Sequence[str] = ()) -> Run:
    """Fine-tune a text classifier, log the signals of every training sample, epoch by epoch, and return the run.

    With `resume`, a run continues after its last committed observation, with its own config.

    Args:
        config: keys of conf/train.yaml.
        overrides: overrides that the user gave, to be logged with the config.

    Raises:
        ConfigError: keys of the config contradict each other; no run is made then.
        DataMapError: the data or the model cannot be read, or training failed.
    """
    if config.signals.collect == "train" and config.signals.every != "epoch":
        raise ConfigError("signals.collect=train observes once an epoch: leave signals.every=epoch")
    if config.run_id and not config.resume:
        raise ConfigError(
            f"run_id={config.run_id} names the run to resume: add resume=true, or leave run_id out"
        )
    processes = join_processes(config.trainer.device)
    checked_folder("tracking.spool", config.tracking.spool)
    speak(config.lang)
    start = resumption.ResumePoint()
    if config.resume:
        config, start = resumption.find(config, processes)
    config, data = texts.load(config)
    training = prepare(config, processes, data, start)
    return (
        session.train_as_owner(training, overrides) if processes.first else session.train_as_member(training)
    )
