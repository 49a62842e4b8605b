"""Define the commands: each calls one function of the pipeline and prints what to do next.

A command's docstring is its `--help`.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from datamap import config as types
from datamap.cli.overrides import key_of
from datamap.config import filled, literal
from datamap.errors import ConfigError, MapError
from datamap.log import say

if TYPE_CHECKING:
    from datamap.tracking.run import Run


def train(config: types.TrainConfig, overrides: list[str]) -> None:
    """Fine-tune a text classifier and log the signals of every training sample, epoch by epoch.

    datamap train                                         the demo data, a small ERNIE
    datamap train data=file data.path=my.tsv              your own labeled texts
    datamap train model=ernie-3.0-base-zh data=lcqmc      the original tutorial's setup
    datamap train data.flip_ratio=0.1 seed=1              plant 10 % dirty labels
    datamap train -m seed=1,2,3                           three runs under one parent, and their comparison
    datamap train resume=true run_id=latest               resume a run that was killed
    """
    from datamap.pipeline import memorization
    from datamap.pipeline.train import train

    run = train(config, overrides)
    found = memorization.read_memorization(run).onset
    if found:
        say(memorization.note(found, run.committed()))
    say("look at it: {address}", address=run.opened_at())
    _say_next("diagnose" if config.data.folds else "summarize", run)


def summarize(config: types.SummarizeConfig, overrides: list[str]) -> None:
    """Reduce the signals of a run to one row per sample and log it as summary.tsv.

    datamap summarize run_id=latest
    datamap summarize run_id=3f2a…
    """
    from datamap.pipeline.summarize import summarize

    _say_next("plot", summarize(config))


def plot(config: types.PlotConfig, overrides: list[str]) -> None:
    """Draw a data map of a run and log it into the run.

    datamap plot run_id=latest                                        all samples, by correct_ratio
    datamap plot run_id=latest criterion=forgetting_times threshold=1 the forgotten ones only
    datamap plot run_id=latest use_f_times=0                          by forgetting events
    datamap plot run_id=latest use_l_times=0                          by learning events
    datamap plot run_id=latest dirty_label=true                       by planted kind
    """
    from datamap.pipeline.plot import plot

    plot(config)


def main(config: types.MainConfig, overrides: list[str]) -> None:
    """Train, summarize and plot in one go; keys of plot are under `plot.`.

    datamap main
    datamap main seed=1 plot.use_f_times=0
    datamap main maps='[{use_f_times: 0}, {dirty_label: true}]'       three maps
    """
    from datamap.pipeline.plot import map_name, plot
    from datamap.pipeline.summarize import summarize
    from datamap.pipeline.train import train

    maps = {"plot": config.plot}
    for index, keys in enumerate(config.maps):
        maps[f"plot, maps[{index}]"] = filled(config.plot, literal(keys), f"maps[{index}].")
    for where, options in maps.items():
        with _said_of(where):
            map_name(options)  # raises now what would come too late after the training
    run = train(config, overrides)
    same = {"run_id": run.run_id, "tracking": config.tracking}
    summarize(replace(config.summarize, **same))
    for where, options in maps.items():
        with _said_of(where):
            plot(replace(options, **same))


def compare(config: types.CompareConfig, overrides: list[str]) -> None:
    """Compare the data maps of several runs: side by side, by samples that moved, and by how far the runs agree.

    datamap compare runs='[<run id>,<run id>]'                       these runs
    datamap compare "runs=params.data = 'demo'"                      an MLflow search filter on the experiment
    """
    from datamap.pipeline.compare import compare

    compare(config)


def diagnose(config: types.DiagnoseConfig, overrides: list[str]) -> None:
    """Rank a run's samples by how likely their label is wrong, and log the list into the run.

    datamap diagnose run_id=latest                    by the default score, from all that the run holds
    datamap diagnose run_id=latest score=aum          another score
    datamap diagnose run_id=latest regions=quantile   regions by quantiles instead of fixed borders
    """
    from datamap.pipeline.diagnose import diagnose

    diagnose(config)


def review(config: types.ReviewConfig, overrides: list[str]) -> None:
    """Review a run's samples in the browser, most likely wrong first: keep, relabel or drop each with one key.

    datamap review run_id=latest               prints the page's address; Ctrl-C ends it
    datamap review run_id=latest open=true     opens the page in your browser
    """
    from datamap.pipeline.review import review

    review(config)


def curate(config: types.CurateConfig, overrides: list[str]) -> None:
    """Make a new training file from a run's samples, and log it into a run of its own.

    datamap curate run_id=latest keep=clean                   drop as many as diagnose estimates to be wrong
    datamap curate run_id=latest keep=relabelled share=0.05   relabel the 5 % that are most likely wrong
    datamap curate run_id=latest keep=corrected               apply what reviewers decided (datamap review)
    datamap curate run_id=latest keep=corrected corrections=diagnosis.tsv   apply an edited diagnosis.tsv
    """
    from datamap.pipeline.curate import curate

    asked = "diagnose.score" in map(key_of, overrides)
    curate(config, config.diagnose.score if asked else None)


def import_(config: types.ImportConfig, overrides: list[str]) -> None:
    """Make a run from signals in files: the original tutorial's, Dataset Cartography's, or Data Map's own.

    datamap import path=outputs/output_data.json             the original's, all observations in one file
    datamap import path=model/training_dynamics              allenai/cartography's dynamics_epoch_0.jsonl, …
    datamap import path=signals                              epoch_0001-00000-of-00001.jsonl or .parquet, …
    datamap import path=output_data.json texts=train.tsv     with the texts, for the explorer
    """
    from datamap.pipeline.import_signals import import_signals

    _say_next("summarize", import_signals(config))


def export(config: types.ExportConfig, overrides: list[str]) -> None:
    """Write a run's signals as Dataset Cartography's training dynamics.

    Each observation becomes a file: dynamics_epoch_0.jsonl, dynamics_epoch_1.jsonl, … Observations count from 0.
    The files hold ln(probs) as logits, because their softmax gives the recorded probs. Signals of tokens, several
    labels, generation and scores are written as Data Map's own files.

    datamap export run_id=latest
    datamap export run_id=latest folder=model/training_dynamics
    """
    from datamap.pipeline.export_signals import export_signals

    export_signals(config)


def upload(config: types.UploadConfig, overrides: list[str]) -> None:
    """Send the observations that training could not log, because the store was unreachable.

    datamap upload
    datamap upload folder=/data/datamap-spool
    """
    from datamap.pipeline.upload import upload

    for run in upload(config):
        _say_next("summarize", run)


COMMANDS: dict[str, Callable[[Any, list[str]], None]] = {
    command.__name__.rstrip("_"): command
    for command in (train, summarize, plot, main, compare, diagnose, review, curate, import_, export, upload)
}


def _say_next(command: str, run: "Run") -> None:
    say("next: {command}", command=run.command(command))


@contextlib.contextmanager
def _said_of(where: str) -> Iterator[None]:
    """Name the map in what is wrong with one of several."""
    try:
        yield
    except (ConfigError, MapError) as error:
        raise type(error)(f"{where}: {error}") from error
