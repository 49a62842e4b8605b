"""Reduce the signals of a run to one row per sample and log it as summary.tsv."""

import tempfile
from dataclasses import replace
from pathlib import Path

import pandas as pd

from datamap import schema
from datamap.config import CompareConfig, DiagnoseConfig, PlotConfig, SummarizeConfig, to_yaml
from datamap.errors import TrackingError
from datamap.labels.memorization import Onset
from datamap.log import say
from datamap.pipeline import memorization, unit_samples
from datamap.pipeline.opening import open_run
from datamap.pipeline.run_description import describe
from datamap.pipeline.stored_summary import log_summary, read_summary, summarize_command
from datamap.program import invocation
from datamap.signals import shards
from datamap.signals.shards import ShardsByObservation
from datamap.signals.stored import signals_of
from datamap.summaries import reduction
from datamap.tasks import units
from datamap.tracking.run import Run
from datamap.translations import Amount, translate


def summarize(config: SummarizeConfig) -> Run:
    """Reduce a run's signals to one row per sample, log `summary.tsv`, and return the run.

    Raises:
        TrackingError: the run has no signals.
        SignalError: signals are damaged.
    """
    run = open_run(config, "summarize")
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
    run.fetch(schema.SUMMARY_FILE, schema.SUMMARIZED_FILE, schema.LABELS_FILE, schema.TASK_FILE)
    if run.has(schema.SUMMARY_FILE):
        _say_if_running(run, len(committed))
    else:
        say("run {run} has no {file} yet: summarizing it first", run=run.run_id, file=schema.SUMMARY_FILE)
        summarize_run(run, replace(config.summarize, run_id=run.run_id, tracking=config.tracking))
    summary, about = read_summary(run, columns)
    count = len(about.observations)
    if about.newest < max(committed, default=0):
        covers = "note: the summary covers {count} of {total} observations; regenerate it: {command}"
        say(covers, count=count, total=len(committed), command=summarize_command(run))
    return summary, count


def summarize_run(run: Run, config: SummarizeConfig) -> None:
    """Reduce a run's signals to one row per sample and log `summary.tsv` into it."""
    memorized = memorization.of_run(run)
    committed = run.committed()
    if not committed:
        raise TrackingError(f"run {run.run_id} has no signals; train first: {invocation('train')}")
    until = None if config.until == "auto" else config.until
    observed = shards.between(signals_of(run, committed), config.burn_in, until)
    if config.until == "auto":
        observed = _early(observed, memorized.number)
    _say_if_running(run, len(committed))
    options = reduction.Options(
        config.allow_missing,
        config.extra,
        config.el2n_observations,
        config.engine.name,
        config.engine.address,
    )
    unit = unit_samples.unit_of(run)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, schema.SUMMARY_FILE)
        totals = reduction.write(reduction.reduced(run.artifacts, observed, options), file, committed)
        metrics = _metrics(totals, len(observed)) | memorization.metrics(memorized.onset)
        with run.together():
            log_summary(run, file, observed, config.allow_missing, max(committed))
            samples = unit_samples.log_summary(run, file) if unit != "sample" else totals.samples
            if unit != "sample":
                metrics["summary/samples"] = float(samples)
            # At the run's last observation, not at the last one used: MLflow shows the value of the largest step.
            run.log_metrics(metrics, max(committed))
            run.log_config("summarize", to_yaml(config))
            describe(run, totals.samples)
    _say(totals, observed, memorized.onset, unit)
    if unit != "sample":
        say(
            "{file}: {samples}, each by its worst {unit}",
            file=schema.UNITS_SUMMARY_FILE,
            samples=Amount(samples, "sample"),
            unit=translate(unit),
        )


def _early(observed: ShardsByObservation, onset: int | None) -> ShardsByObservation:
    """Return the observations before the model memorizes labels, as `until=auto` asks for.

    Print a note where nothing tells when that is, or where so few come before that later ones stay.
    """
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


def _metrics(totals: reduction.Totals, observations: int) -> dict[str, float]:
    found = {"observations": observations, **totals.headlines}
    if totals.auroc_dirty is not None:
        found["auroc_dirty"] = totals.auroc_dirty
    return {f"summary/{name}": float(value) for name, value in found.items()}


def _say(totals: reduction.Totals, observed: ShardsByObservation, onset: Onset | None, unit: str) -> None:
    note = memorization.note(onset, observed) if onset else None
    say(
        "{file}: {samples} over {observations}",
        file=schema.SUMMARY_FILE,
        samples=units.amount(totals.samples, unit),
        observations=Amount(len(observed), "observation"),
    )
    if totals.auroc_dirty is not None:
        dirty = "dirty samples against the rest: AUROC of 1 - avg_probs {auroc:.3f}"
        say(dirty, auroc=totals.auroc_dirty)
        if totals.auroc_dirty < 0.5:
            say(
                "note: this ranks them worse than chance: the model has memorized them, or has learned too little"
            )
    if note:
        say(note)
