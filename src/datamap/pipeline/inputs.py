"""What commands read from a run: its signals, its summary, and which observations the summary is over."""

import contextlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from datamap import documents, schema
from datamap.config import CompareConfig, DiagnoseConfig, PlotConfig, SummarizeConfig
from datamap.errors import SummaryError, TrackingError, counted, first_few
from datamap.log import say
from datamap.pipeline import memorization as memorised
from datamap.program import invocation
from datamap.schema import Shard
from datamap.signals import shards
from datamap.summaries import tsv
from datamap.tracking.artifacts import digest_of
from datamap.tracking.run import Run

Observed = dict[int, list[Shard]]  # observation's number → its shards

# What groupings, regions and marginals are made from.
MAP_COLUMNS = {
    "label", "s_label", "correct_ratio", "avg_probs", "label_var", "forgetting_times", "learnt_times"
}  # fmt: skip


def summary_of(
    run: Run, config: PlotConfig | CompareConfig | DiagnoseConfig, columns: set[str] | None
) -> tuple[pd.DataFrame, int]:
    """(these columns of the summary or all, its number of observations), made first when the run has none."""
    committed = run.committed()
    now = len(committed)
    if run.has(schema.SUMMARY_FILE):
        say_if_running(run, now)
    else:
        say(f"run {run.run_id} has no {schema.SUMMARY_FILE} yet: summarizing it first")
        from datamap.pipeline.summarize import summarize_run

        summarize_run(run, replace(config.summarize, run_id=run.run_id, tracking=config.tracking))
    summarized = _summarized(run)
    with run.artifacts.local(schema.SUMMARY_FILE) as file:
        if digest_of(file) != summarized.sha256:
            raise SummaryError(
                f"run {run.run_id}: {schema.SUMMARY_FILE} and {schema.SUMMARIZED_FILE} are not of the same summary "
                f"(was one interrupted?); renew both: {_renew(run)}"
            )
        found = tsv.read(file, columns)
    count = len(summarized.observations)
    if summarized.newest < max(committed, default=0):
        say(f"note: the summary covers {count} of {now} observations; renew it: {_renew(run)}")
    return found, count


def say_if_running(run: Run, count: int) -> None:
    """Tell the user that a run has more to come than its `count` observations."""
    if run.status == "RUNNING":
        say(
            f"note: run {run.run_id} is still running (or was killed): {counted(count, 'observation')} so far"
        )


def committed_between(run: Run, config: SummarizeConfig) -> tuple[Observed, dict[int, int]]:
    """({number: its shards}, {number: its rows}) of the observations that count, between burn_in and until."""
    committed = run.committed()
    if not committed:
        raise TrackingError(f"run {run.run_id} has no signals; train first: {invocation('train')}")
    signals = signals_of(run, committed)
    if config.until == "auto":
        return _trusted(run, shards.between(signals, config.burn_in)), committed
    return shards.between(signals, config.burn_in, config.until), committed


def _trusted(run: Run, observed: Observed) -> Observed:
    """The observations that `until=auto` chooses; says so where it cannot leave out all that it should."""
    begins = memorised.begins(run)
    kept = memorised.early(observed, begins)
    if begins is None:
        say(
            f"note: until=auto keeps all {counted(len(kept), 'observation')}: neither development data nor a diagnosis "
            "says that the model learns labels by heart"
        )
    elif kept[-1] >= begins:
        say(
            f"note: the model learns labels by heart from observation {begins} on; until=auto keeps the first "
            f"{counted(len(kept), 'observation')}, as fewer are too few for a map"
        )
    return {number: observed[number] for number in kept}


def log_summary(run: Run, file: Path, observed: Observed, allow_missing: bool, newest: int) -> None:
    """Log a summary.tsv, and which observations it is over, for the commands that read them again.

    Args:
        newest: number of the run's last observation at that time: a later one makes the summary outdated.
    """
    content = {
        "observations": list(observed), "newest": newest, "allow_missing": allow_missing, "sha256": digest_of(file)
    }  # fmt: skip
    run.log_text(json.dumps(content) + "\n", schema.SUMMARIZED_FILE)
    run.log_file(file, schema.SUMMARY_FILE)


def observed_as_summarized(run: Run) -> tuple[Observed, bool]:
    """({number: its shards} of the observations that the summary is over, whether some may lack samples).

    Raises:
        SummaryError: the run does not say which, or has lost one of them.
    """
    summarized, signals = _summarized(run), signals_of(run)
    lost = [number for number in summarized.observations if number not in signals]
    if lost:
        raise SummaryError(
            f"run {run.run_id}: its summary is over observation {first_few(lost)}, which is no longer there; "
            f"renew it: {_renew(run)}"
        )
    return {number: signals[number] for number in summarized.observations}, summarized.allow_missing


def _summarized(run: Run) -> documents.Summarized:
    content = run.artifacts.find(schema.SUMMARIZED_FILE)
    try:
        return documents.summarized(content or b"")
    except ValueError as error:
        raise SummaryError(
            f"run {run.run_id}: {schema.SUMMARIZED_FILE}, which says what {schema.SUMMARY_FILE} is over, is "
            f"{'damaged' if content else 'missing'}; renew both: {_renew(run)}"
        ) from error


def _renew(run):
    """The command that summarizes a run again, over the same choice of observations."""
    given: dict[str, Any] = {}
    with contextlib.suppress(TrackingError):
        given = run.config("summarize")
    allowed = {"burn_in": _is_number, "until": lambda value: value == "auto" or _is_number(value)}
    options = [f"{key}={given[key]}" for key, is_allowed in allowed.items() if is_allowed(given.get(key))]
    options += ["allow_missing=true"] if given.get("allow_missing") is True else []
    return invocation("summarize", f"run_id={run.run_id}", *options)


def _is_number(value):
    return type(value) is int and value > 0


def signals_of(run: Run, committed: dict[int, int] | None = None) -> Observed:
    """{number: its shards} of the observations that were committed."""
    committed = committed or run.committed()
    found, digests = _shards_in(run, schema.SIGNALS_DIR)
    if committed and not found:
        raise TrackingError(
            f"run {run.run_id}: {run.artifacts.root}/{schema.SIGNALS_DIR} has none of its signals; "
            "if the store's folder was moved, move it back to there"
        )
    observed, left_out = shards.complete_observations(found, committed, digests)
    if left_out:
        say(
            f"note: observation {first_few(sorted(left_out), 8)} was never committed (a killed run?) and is left out"
        )
    return observed


def extra_signals_of(run: Run, folder: str) -> Observed:
    """{number: its shards} of a run's extra trainings in a folder; {} where some are not done."""
    done = run.committed(schema.EXTRA_METRICS[folder])
    found, digests = _shards_in(run, folder) if done else ([], {})
    if len(done) < max((shard.count for shard in found), default=0):
        say(
            f"note: {folder}/ is not finished and is left out (a killed run? go on: "
            f"{invocation('train', 'resume=true', f'run_id={run.run_id}')})"
        )
        return {}
    return shards.complete_observations(found, {shard.number: 0 for shard in found}, digests)[0]


def _shards_in(run, folder):
    """([Shard, …], {artifact path: SHA-256}) that lie in a folder of the run."""
    files = run.files(folder)
    found = [shard for shard in map(schema.parse_shard, files) if shard]
    digests: dict[str, str] = {}
    for path in {shard.checksums_path for shard in found} & set(files):
        digests |= shards.parse_checksums(run.artifacts.read(path), path)
    # Shards of another split are what a killed process left: the observation was logged again, in other parts.
    listed = {(shard.checksums_path, shard.count) for shard in found if shard.path in digests}
    found = [s for s in found if s.checksums_path not in files or (s.checksums_path, s.count) in listed]
    for shard in found:
        if shard.checksums_path in files:
            digests.setdefault(shard.path, shards.UNLISTED)
    return found, digests
