"""Reduce the signals of a run to one row per sample and log it as summary.tsv."""

import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pandas as pd

from datamap import schema
from datamap.config import CompareConfig, DiagnoseConfig, PlotConfig, SummarizeConfig, yaml
from datamap.errors import TrackingError, counted
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


def summarize(config: SummarizeConfig) -> Run:
    """Reduce a run's signals to one row per sample and log `summary.tsv`; returns the run."""
    store = Store(config.tracking.uri, config.tracking.experiment)
    run = store.run(config.run_id)
    store.nest_project_run(run, "summarize")
    summarize_run(run, config)
    return run


def ensure_summary(
    run: Run, config: PlotConfig | CompareConfig | DiagnoseConfig, columns: set[str] | None
) -> tuple[pd.DataFrame, int]:
    """Return (these columns of the summary, or all; its number of observations), summarizing a run that has none."""
    committed = run.committed()
    if run.has(schema.SUMMARY_FILE):
        _say_if_running(run, len(committed))
    else:
        say(f"run {run.run_id} has no {schema.SUMMARY_FILE} yet: summarizing it first")
        summarize_run(run, replace(config.summarize, run_id=run.run_id, tracking=config.tracking))
    summary, about = read_summary(run, columns)
    count = len(about.observations)
    if about.newest < max(committed, default=0):
        say(f"note: the summary covers {count} of {len(committed)} observations; renew it: {renewal(run)}")
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
    # Not at the last observation used: MLflow calls the value of the largest step the latest.
    run.log_metrics(metrics, max(committed))
    describe(run, totals.samples)
    say(
        f"{schema.SUMMARY_FILE}: {counted(totals.samples, 'sample')} over {counted(len(observed), 'observation')}"
    )
    if "summary/auroc_dirty" in metrics:
        say(f"dirty samples against the rest: AUROC of 1 - avg_probs {metrics['summary/auroc_dirty']:.3f}")
    if found:
        say(memorization.note(found, observed))


def _parts(run: Run, config: SummarizeConfig, observed: ShardsByObservation) -> Iterable[reduction.Part]:
    groups = shards.groups(observed, config.allow_missing)
    options = reduction.Options(config.allow_missing, config.extra, config.el2n_observations)
    if config.engine.name == "dask":
        return reduction.on_dask(run.artifacts, groups, options, config.engine.address)
    return reduction.in_process(run.artifacts, groups, options)


def _chosen(run: Run, config: SummarizeConfig, signals: ShardsByObservation) -> ShardsByObservation:
    """Return the observations that count, between burn_in and until."""
    if config.until != "auto":
        return shards.between(signals, config.burn_in, config.until)
    return _trusted(run, shards.between(signals, config.burn_in))


def _trusted(run: Run, observed: ShardsByObservation) -> ShardsByObservation:
    """Return the observations that `until=auto` chooses; a note tells where it cannot leave out all that it should."""
    onset = memorization.onset_of(run)
    kept = memorization.early(observed, onset)
    if onset is None:
        say(
            f"note: until=auto keeps all {counted(len(kept), 'observation')}: neither development data nor a diagnosis "
            "says that the model memorizes labels"
        )
    elif kept[-1] >= onset:
        say(
            f"note: the model memorizes labels from observation {onset} on; until=auto keeps the first "
            f"{counted(len(kept), 'observation')}, as fewer are too few for a map"
        )
    return {number: observed[number] for number in kept}


def _say_if_running(run: Run, count: int) -> None:
    """Tell the user that a run has more to come than its `count` observations."""
    if run.status == "RUNNING":
        say(
            f"note: run {run.run_id} is still running (or was killed): {counted(count, 'observation')} so far"
        )
