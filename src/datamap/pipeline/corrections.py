"""What `curate keep=corrected` applies: a run's decisions of a review, or an edited diagnosis.tsv."""

import hashlib
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from datamap import schema
from datamap.config import CurateConfig
from datamap.data import spreadsheet
from datamap.errors import ConfigError, DataError, counted, first_few
from datamap.labels import curation
from datamap.log import say
from datamap.program import invocation
from datamap.review import decisions, storage
from datamap.tracking.run import Run
from datamap.tracking.store import opened

SHOWN = 20  # reviewers and conflicts that are named


class Corrections(NamedTuple):
    """`labels`, {id as text: class name, or None where the sample shall go}; `lineage`, params of the new run."""

    labels: dict[str, str | None]
    lineage: dict[str, object]


def of_run(source: Run, samples: pd.DataFrame, config: CurateConfig) -> Corrections:
    """The corrections of the file that `corrections=` names, else those that the run's reviewers decided.

    Args:
        source: the run.
        samples: DataFrame with the columns id, label and proposed.
        config: its `corrections` is a path or None.
    Raises:
        ConfigError: there is neither a file nor a decision.
        DataError: a file, or a line of one, names what the run does not have.
    """
    # A model can know more classes than are named or given.
    names = dict.fromkeys([*source.class_names(), *samples["label"], *samples["proposed"]])
    names.pop("", None)
    if config.corrections is None:
        return _decided(source, {str(key) for key in samples["id"]}, list(names))
    with opened(config.corrections, config.tracking.uri) as file:
        if not file.is_file():
            raise ConfigError(f"corrections={config.corrections}: no such file (looked in {Path.cwd()})")
        content = file.read_bytes()
    edited = spreadsheet.read(content, config.corrections, ("id", "label"))
    return Corrections(curation.corrections(edited, config.corrections, samples["id"], list(names)), {})


def _decided(source: Run, ids: set[str], names: list[str]) -> Corrections:
    files = storage.of_all(source, source.artifacts)
    found, torn = decisions.of_files(files)
    outcome = decisions.outcome(found)
    if not outcome.samples:
        raise ConfigError(
            f"keep=corrected: run {source.run_id} has no decisions of a review ({schema.DECISIONS_FILE}); make some: "
            f"{invocation('review', f'run_id={source.run_id}')}, or give corrections=<an edited diagnosis.tsv>"
        )
    labels = {key: label for key, label in outcome.labels.items() if key in ids}
    strange = sorted({label for label in labels.values() if label is not None} - set(names))
    if strange:
        known = first_few(names, 20)
        raise DataError(
            f"{schema.DECISIONS_FILE}: label {first_few(strange)} is no class of the run (classes: {known})"
        )
    _say(outcome, torn, len(outcome.labels) - len(labels))
    digest = hashlib.sha256(b"".join(content for _, content in files)).hexdigest()
    return Corrections(
        labels,
        {
            "reviewers": first_few(outcome.reviewers, SHOWN),
            "decisions": outcome.samples,
            "decisions_unsure": len(outcome.unsure),
            "decisions_in_conflict": len(outcome.conflicts),
            "decisions_sha256": digest,
        },
    )


def _say(outcome: decisions.Outcome, torn: int, unknown: int) -> None:
    say(f"decisions on {counted(outcome.samples, 'sample')} by {first_few(outcome.reviewers, SHOWN)}")
    if outcome.unsure:
        say(f"note: of {counted(len(outcome.unsure), 'sample')} nobody was sure: they keep their labels")
    if outcome.conflicts:
        say(
            f"note: reviewers disagree about {counted(len(outcome.conflicts), 'sample')}, which keep their labels: "
            f"{first_few(outcome.conflicts, SHOWN)}"
        )
    if torn:
        say(
            f"note: {counted(torn, 'line')} of {schema.REVIEW_DIR}/ is no decision (a killed server?) and is left out"
        )
    if unknown:
        say(f"note: {counted(unknown, 'decision')} on samples that the run does not have")
