"""Reduce the signals of a run to one row per sample and log it as summary.tsv."""

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd

from datamap import schema
from datamap.config import CompareConfig, DiagnoseConfig, PlotConfig, SummarizeConfig, to_yaml
from datamap.errors import ConfigError, SignalError, raised_as
from datamap.labels.memorization import Onset
from datamap.log import reporting, say
from datamap.pipeline import memorization, unit_samples
from datamap.pipeline.run_access import committed_signals, definition_of, open_run
from datamap.pipeline.run_description import describe
from datamap.pipeline.stored_summary import covered_observations, read_summary, summarize_command
from datamap.recording.stored_signals import signals_of
from datamap.signals import shards
from datamap.signals.shards import ShardsByObservation
from datamap.summaries import reduction
from datamap.tracking import hidden_tags
from datamap.tracking.run import Run
from datamap.translations import Amount, Phrase, translate


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
    if not run.has(schema.SUMMARY_FILE):
        if committed:
            say("run {run} has no {file} yet: summarizing it first", run=run.run_id, file=schema.SUMMARY_FILE)
        summarize_run(run, replace(config.summarize, run_id=run.run_id, tracking=config.tracking))
    elif run.status == "RUNNING":
        say(_running(run.run_id, len(committed)))
    with reporting("reading {file}", file=schema.SUMMARY_FILE):
        summary, about = read_summary(run, columns)
    count = len(about.observations)
    if about.newest < max(committed, default=0):
        covers = "note: the summary covers {count} of {total} observations; regenerate it: {command}"
        say(covers, count=count, total=len(committed), command=summarize_command(run))
    return summary, count


def summarize_run(run: Run, config: SummarizeConfig) -> None:
    """Reduce a run's signals to one row per sample and log `summary.tsv` into it: read, compute, log, report."""
    committed = committed_signals(run)
    memorized, unit = memorization.read_memorization(run), definition_of(run).unit
    until = None if config.until == "auto" else config.until
    run.fetch(schema.PACK_FILE)  # of an earlier summary: it has the signals, too
    with tempfile.TemporaryDirectory() as folder, raised_as(SignalError, f"run {run.run_id}", SignalError):
        observed = shards.between(signals_of(run, committed), config.burn_in, until)
        if config.until == "auto":
            early = memorization.early_observations(observed, memorized.number)
            observed = {number: observed[number] for number in early}
        file = Path(folder, schema.SUMMARY_FILE)
        of_samples = Path(folder, schema.UNITS_SUMMARY_FILE)
        observations = Amount(len(observed), "observation")
        with reporting("reducing the signals of {observations}", observations=observations):
            parts = reduction.reduced(run.artifacts, observed, _options(config))
            totals = reduction.write(parts, file, committed)
            samples = unit_samples.summarize(file, of_samples, totals.samples) if unit else 0
        metrics = _metrics(totals, len(observed), samples) | memorization.metrics(memorized.onset)
        covered = covered_observations(file, observed, config.allow_missing, max(committed))
        if hidden_tags.content(run.tags(), schema.SUMMARIZED_FILE) == covered.encode():
            del metrics["summary/observations"]  # whose time tells if a diagnosis is of this very summary
        lines = [_running(run.run_id, len(committed))] if run.status == "RUNNING" else []
        lines += _notes(config, observed, memorized.number)
        lines += _lines(totals, observed, memorized.onset, unit, samples)
        with run.together():
            run.log_text(covered, schema.SUMMARIZED_FILE)
            run.log_file(file, schema.SUMMARY_FILE)
            run.log_pack([schema.SUMMARY_FILE, *(part.path for parts in observed.values() for part in parts)])
            if unit:
                run.log_file(of_samples, schema.UNITS_SUMMARY_FILE)
            # At the run's last observation, not at the last one used: MLflow shows the value of the largest step.
            run.log_metrics(metrics, max(committed))
            run.log_config("summarize", to_yaml(config))
            describe(run, totals.samples)
    for line in lines:
        say(line)


def _options(config: SummarizeConfig) -> reduction.Options:
    if config.engine.address and config.engine.name != "dask":
        raise ConfigError(f"engine.address is for engine=dask, not {config.engine.name}; leave it out")
    return reduction.Options(
        config.allow_missing,
        config.extra,
        config.el2n_observations,
        config.engine.name,
        config.engine.address,
    )


def _metrics(totals: reduction.Totals, observations: int, samples: int) -> dict[str, float]:
    found = {"observations": observations, **totals.headlines, "learned": totals.learned}
    if totals.auroc_dirty is not None:
        found["auroc_dirty"] = totals.auroc_dirty
    if samples:
        found["samples"] = samples
    return {f"summary/{name}": float(value) for name, value in found.items()}


def _running(run_id: str, count: int) -> Phrase:
    """Return the note on a run that is still running, as more than its `count` observations may follow."""
    return Phrase(
        "note: run {run} is still running (or was killed): {observations} so far",
        {"run": run_id, "observations": Amount(count, "observation")},
    )


def _notes(config: SummarizeConfig, observed: ShardsByObservation, onset: int | None) -> Iterator[Phrase]:
    """Yield a note if `until=auto` finds nothing that tells when the model memorizes, or keeps later observations."""
    if config.until != "auto":
        return
    observations = Amount(len(observed), "observation")
    if onset is None:
        yield Phrase(
            "note: until=auto keeps all {observations}: neither development data nor a diagnosis shows that the "
            "model memorizes labels",
            {"observations": observations},
        )
    elif max(observed) >= onset:
        yield Phrase(
            "note: the model memorizes labels from observation {number} on; until=auto keeps the first "
            "{observations}, because fewer do not make a map",
            {"number": onset, "observations": observations},
        )


def _lines(
    totals: reduction.Totals, observed: ShardsByObservation, onset: Onset | None, unit: str, samples: int
) -> Iterator[Phrase]:
    """Yield the lines that report the result; `samples` is 0 unless samples have several units."""
    values = {
        "file": schema.SUMMARY_FILE,
        "samples": Amount(totals.samples, unit or "sample"),
        "observations": Amount(len(observed), "observation"),
    }
    yield Phrase("{file}: {samples} over {observations}", values)
    if totals.auroc_dirty is not None:
        dirty = "dirty {unit}s against the rest: AUROC of 1 - avg_probs {auroc:.3f}"
        yield Phrase(dirty, {"auroc": totals.auroc_dirty, "unit": Phrase(unit or "sample")})
        if totals.auroc_dirty < 0.5:
            yield Phrase(
                "note: avg_probs ranks them worse than chance: the model has memorized them, or has learned too little"
            )
    if samples:
        yield Phrase(
            "{file}: {samples}, each by its worst {unit}",
            {
                "file": schema.UNITS_SUMMARY_FILE,
                "samples": Amount(samples, "sample"),
                "unit": translate(unit),
            },
        )
    if onset:
        yield memorization.note(onset, observed)
