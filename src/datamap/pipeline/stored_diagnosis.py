"""Read the stored diagnosis of a run, and check its score and that it is of the run's present summary."""

import pandas as pd

from datamap import schema
from datamap.data import spreadsheet
from datamap.errors import ConfigError, SummaryError
from datamap.labels.mislabel import SCORES
from datamap.tracking.run import Run


def read_diagnosis(run: Run, score: str | None = None) -> pd.DataFrame:
    """Return the rows of diagnosis.tsv, most likely wrong first.

    Args:
        run: run with a diagnosis.
        score: score that it must have been diagnosed by; None = any.

    Raises:
        SummaryError: the run has no diagnosis, or one of an earlier summary.
        ConfigError: the diagnosis was made by another score.
        DataError: the file is damaged.
    """
    content = run.artifacts.find(schema.DIAGNOSIS_FILE)
    if content is None:
        raise SummaryError(
            f"run {run.run_id} has no {schema.DIAGNOSIS_FILE}; make it: {diagnose_command(run, score)}"
        )
    check_score(run, score)
    if is_outdated(run):
        raise SummaryError(
            f"run {run.run_id}: its summary is newer than its diagnosis; renew it: {diagnose_command(run, score)}"
        )
    return spreadsheet.read_diagnosis(content)


def check_score(run: Run, score: str | None) -> None:
    """Raise ConfigError if the run's diagnosis was made by another score than the requested one."""
    own = _own_score(run)
    if score not in (own, None):
        raise ConfigError(
            f"diagnose.score={score}: the run has a diagnosis by {f'score={own}' if own else 'another score'}; "
            f"renew it: {diagnose_command(run, score)}"
        )


def is_outdated(run: Run) -> bool:
    """Tell if the run was summarized again after its diagnosis."""
    return run.time_of("summary/observations") > run.time_of("mislabelled/estimate")


def diagnose_command(run: Run, score: str | None = None) -> str:
    """Return the command that diagnoses a run again, by a score or as before."""
    score = score or _own_score(run)
    return run.command("diagnose", *([f"score={score}"] if score else []))


def _own_score(run: Run) -> str | None:
    """Return the score that a run was diagnosed by; None if its config, which may be anybody's, names none of ours."""
    own = run.config("diagnose").get("score")
    return next((name for name in SCORES if name == own), None)
