"""Read and log the summary of a run: the samples' statistics, and the observations that they cover."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from datamap import documents, schema
from datamap.digests import digest_of
from datamap.errors import SummaryError, TrackingError, first_few
from datamap.recording.stored_signals import signals_of
from datamap.signals.shards import ShardsByObservation
from datamap.summaries import tsv
from datamap.tracking.run import Run

# The columns that groupings, regions and marginal histograms of a map need.
MAP_COLUMNS = {
    "label", "s_label", "correct_ratio", "avg_probs", "label_var", "forgetting_times", "learnt_times"
}  # fmt: skip


def covered_observations(file: Path, observed: ShardsByObservation, allow_missing: bool, newest: int) -> str:
    """Return the list of observations that a summary covers, as JSON for the commands that read their shards again.

    Args:
        file: the summary.
        observed: observations that it covers.
        allow_missing: true if some of them may lack samples.
        newest: number of the run's last observation at that time; a later one makes the summary outdated.
    """
    content = {
        "observations": list(observed), "newest": newest, "allow_missing": allow_missing, "sha256": digest_of(file)
    }  # fmt: skip
    return json.dumps(content) + "\n"


@contextlib.contextmanager
def summary_file(run: Run) -> Iterator[tuple[Path, documents.Summarized]]:
    """Yield (summary.tsv as a local file, the observations that it covers).

    Raises:
        SummaryError: the run has no summary, or not the one that its list of observations is of.
    """
    if not run.has(schema.SUMMARY_FILE):
        raise SummaryError(
            f"run {run.run_id} has no {schema.SUMMARY_FILE}; make it: {summarize_command(run)}"
        )
    about = _about(run)
    with run.artifacts.local(schema.SUMMARY_FILE) as file:
        if digest_of(file) != about.sha256:
            raise SummaryError(
                f"run {run.run_id}: {schema.SUMMARY_FILE} and {schema.SUMMARIZED_FILE} are not of the same summary "
                f"(was a command interrupted?); regenerate both: {summarize_command(run)}"
            )
        yield file, about


def read_summary(run: Run, columns: set[str] | None = None) -> tuple[pd.DataFrame, documents.Summarized]:
    """Return the summary, and the observations that it covers.

    Args:
        run: run with a summary.
        columns: names of the columns to read; None = all.

    Raises:
        SummaryError: the run has no summary, or it is damaged.
    """
    with summary_file(run) as (file, about):
        return tsv.read(file, columns), about


def summarized_observations(run: Run) -> tuple[ShardsByObservation, bool]:
    """Return ({number: its shards} of the observations that the summary covers, true if some may lack samples).

    Raises:
        SummaryError: the list of observations is missing or damaged, or one of them has no signals any more.
    """
    about, signals = _about(run), signals_of(run)
    lost = [number for number in about.observations if number not in signals]
    if lost:
        raise SummaryError(
            f"run {run.run_id}: its summary covers observation {first_few(lost)}, which no longer exists; "
            f"regenerate it: {summarize_command(run)}"
        )
    return {number: signals[number] for number in about.observations}, about.allow_missing


def _about(run: Run) -> documents.Summarized:
    content = run.artifacts.find(schema.SUMMARIZED_FILE)
    try:
        return documents.summarized(content or b"")
    except ValueError as error:
        raise SummaryError(
            f"run {run.run_id}: {schema.SUMMARIZED_FILE}, which lists the observations of {schema.SUMMARY_FILE}, is "
            f"{'damaged' if content else 'missing'}; regenerate both: {summarize_command(run)}"
        ) from error


def summarize_command(run: Run) -> str:
    """Return the command that summarizes a run again, over the same choice of observations."""
    given: dict[str, Any] = {}
    with contextlib.suppress(TrackingError):
        given = run.config("summarize")
    allowed = {"burn_in": _is_number, "until": lambda value: value == "auto" or _is_number(value)}
    options = [f"{key}={given[key]}" for key, is_allowed in allowed.items() if is_allowed(given.get(key))]
    options += ["allow_missing=true"] if given.get("allow_missing") is True else []
    return run.command("summarize", *options)


def _is_number(value: Any) -> bool:
    return type(value) is int and value > 0
