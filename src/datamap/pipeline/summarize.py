"""Reduce the signals of a run to one row per sample and log it as summary.tsv."""

import tempfile
from collections.abc import Iterable
from pathlib import Path

from datamap import schema
from datamap.config import SummarizeConfig, yaml
from datamap.errors import counted
from datamap.log import say
from datamap.pipeline import memorization as memorised
from datamap.pipeline.inputs import Observed, committed_between, log_summary, say_if_running
from datamap.pipeline.run_description import describe
from datamap.signals import shards
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


def summarize_run(run: Run, config: SummarizeConfig) -> None:
    """The same for a run that was looked up."""
    observed, committed = committed_between(run, config)
    say_if_running(run, len(committed))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, schema.SUMMARY_FILE)
        totals = reduction.write(_parts(run, config, observed), file, committed)
        run.log_config("summarize", yaml(config))
        log_summary(run, file, observed, config.allow_missing, max(committed))
    headlines = {"observations": len(observed), **totals.headlines}
    metrics = {f"summary/{name}": float(value) for name, value in headlines.items()}
    if totals.auroc_dirty is not None:
        metrics["summary/auroc_dirty"] = totals.auroc_dirty
    found = memorised.of_run(run)
    metrics |= memorised.metrics(found)
    # Not at the last observation used: MLflow calls the value of the largest step the latest.
    run.log_metrics(metrics, max(committed))
    describe(run, totals.samples)
    say(
        f"{schema.SUMMARY_FILE}: {counted(totals.samples, 'sample')} over {counted(len(observed), 'observation')}"
    )
    if "summary/auroc_dirty" in metrics:
        say(f"dirty samples against the rest: AUROC of 1 - avg_probs {metrics['summary/auroc_dirty']:.3f}")
    if found:
        say(memorised.note(found, observed))


def _parts(run: Run, config: SummarizeConfig, observed: Observed) -> Iterable[reduction.Part]:
    groups = shards.groups(observed, config.allow_missing)
    options = reduction.Options(config.allow_missing, config.extra, config.el2n_observations)
    if config.engine.name == "dask":
        return reduction.on_dask(run.artifacts, groups, options, config.engine.address)
    return reduction.in_process(run.artifacts, groups, options)
