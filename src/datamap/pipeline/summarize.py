"""Reduce the signals of a run to one row per sample and log it as summary.tsv."""

import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pandas as pd

from datamap import schema
from datamap.config import CompareConfig, DiagnoseConfig, PlotConfig, SummarizeConfig, yaml
from datamap.errors import TrackingError
from datamap.log import say
from datamap.pipeline import memorization
from datamap.pipeline.run_description import describe
from datamap.pipeline.stored_summary import log_summary, read_summary, renewal
from datamap.program import invocation
from datamap.signals import shards
from datamap.signals.shards import ShardsByObservation
from datamap.signals.stored import signals_of
from datamap.summaries import reduction
from datamap.tracking.run import Run
from datamap.tracking.store import Store
from datamap.translations import Amount


def summarize(config: SummarizeConfig) -> Run:
    """Reduce a run's signals to one row per sample, log `summary.tsv`, and return the run.

    Raises:
        TrackingError: the run has no signals.
        SignalError: signals are damaged.
    """
    store = Store(config.tracking.uri, config.tracking.experiment)
    run = store.run(config.run_id)
    run.speak(config.lang)
    store.nest_project_run(run, "summarize")
    summarize_run(run, config)
    return run


def ensure_summary(
    run: Run, config: PlotConfig | CompareConfig | DiagnoseConfig, columns: set[str] | None
) -> tuple[pd.DataFrame, int]:
    """Return the summary and its number of observations; summarize the run first where it has no summary.

    Print a note where the run is still running, or has observations that the summary does not cover.

    Args:
        run: run with signals.
        config: the command's config, whose `summarize` keys are used.
        columns: names of the columns to read; None = all.
    """
    committed = run.committed()
    if run.has(schema.SUMMARY_FILE):
        _say_if_running(run, len(committed))
    else:
        say("run {run} has no {file} yet: summarizing it first", run=run.run_id, file=schema.SUMMARY_FILE)
        summarize_run(run, replace(config.summarize, run_id=run.run_id, tracking=config.tracking))
    summary, about = read_summary(run, columns)
    count = len(about.observations)
    if about.newest < max(committed, default=0):
        covers = "note: the summary covers {count} of {total} observations; renew it: {command}"
        say(covers, count=count, total=len(committed), command=renewal(run))
    return summary, count


def summarize_run(run: Run, config: SummarizeConfig) -> None:
    """Reduce a run's signals to one row per sample and log `summary.tsv` into it."""
    committed = run.committed()
    if not committed:
        raise TrackingError(f"run {run.run_id} has no signals; train first: {invocation('train')}")
    observed = _chosen(run, config, signals_of(run, committed))
    _say_if_running(run, len(committed))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, schema.SUMMARY_FILE)
        totals = reduction.write(_parts(run, config, observed), file, committed)
        run.log_config("summarize", yaml(config))
        log_summary(run, file, observed, config.allow_missing, max(committed))
    headlines = {"observations": len(observed), **totals.headlines}
    metrics = {f"summary/{name}": float(value) for name, value in headlines.items()}
    if totals.auroc_dirty is not None:
        metrics["summary/auroc_dirty"] = totals.auroc_dirty
    found = memorization.of_run(run)
    metrics |= memorization.metrics(found)
    # At the run's last observation, not at the last one used: MLflow shows the value of the largest step.
    run.log_metrics(metrics, max(committed))
    describe(run, totals.samples)
    say(
        "{file}: {samples} over {observations}",
        file=schema.SUMMARY_FILE,
        samples=Amount(totals.samples, "sample"),
        observations=Amount(len(observed), "observation"),
    )
    if "summary/auroc_dirty" in metrics:
        dirty = "dirty samples against the rest: AUROC of 1 - avg_probs {auroc:.3f}"
        say(dirty, auroc=metrics["summary/auroc_dirty"])
    if found:
        say(memorization.note(found, observed))


def _parts(run: Run, config: SummarizeConfig, observed: ShardsByObservation) -> Iterable[reduction.Part]:
    groups = shards.groups(observed, config.allow_missing)
    options = reduction.Options(config.allow_missing, config.extra, config.el2n_observations)
    if config.engine.name == "dask":
        return reduction.on_dask(run.artifacts, groups, options, config.engine.address)
    return reduction.in_process(run.artifacts, groups, options)


def _chosen(run: Run, config: SummarizeConfig, signals: ShardsByObservation) -> ShardsByObservation:
    """Return the observations after `burn_in` and up to `until`."""
    if config.until != "auto":
        return shards.between(signals, config.burn_in, config.until)
    return _trusted(run, shards.between(signals, config.burn_in))


def _trusted(run: Run, observed: ShardsByObservation) -> ShardsByObservation:
    """Return the observations before the model memorizes labels, as `until=auto` asks for.

    Print a note where nothing tells when that is, or where so few come before that later ones stay.
    """
    onset = memorization.onset_of(run)
    kept = memorization.early(observed, onset)
    if onset is None:
        say(
            "note: until=auto keeps all {observations}: neither development data nor a diagnosis "
            "says that the model memorizes labels",
            observations=Amount(len(kept), "observation"),
        )
    elif kept[-1] >= onset:
        say(
            "note: the model memorizes labels from observation {number} on; until=auto keeps the first "
            "{observations}, as fewer are too few for a map",
            number=onset,
            observations=Amount(len(kept), "observation"),
        )
    return {number: observed[number] for number in kept}


def _say_if_running(run: Run, count: int) -> None:
    """Print a note where a run is still running, as more than its `count` observations may follow."""
    if run.status == "RUNNING":
        say(
            "note: run {run} is still running (or was killed): {observations} so far",
            run=run.run_id,
            observations=Amount(count, "observation"),
        )
