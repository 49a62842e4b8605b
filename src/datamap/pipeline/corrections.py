"""Collect what people decided about a run's samples, in a review or in an edited diagnosis.tsv, for `curate`."""

from typing import NamedTuple

import pandas as pd

from datamap import schema
from datamap.config import CurateConfig
from datamap.data import files, spreadsheet
from datamap.data.advice import without_keys
from datamap.digests import digest_of
from datamap.errors import ConfigError, DataError, first_few
from datamap.labels import curation
from datamap.log import say
from datamap.pipeline.run_access import definition_of
from datamap.review import decisions, storage
from datamap.tracking.run import Run
from datamap.tracking.store import opened
from datamap.translations import Amount, Phrase, translate

SHOWN = 20  # reviewers and conflicts that a line names before it only counts the rest


class Corrections(NamedTuple):
    """Represent the decisions that a curated file applies.

    Attributes:
        labels: {id as text: class name, or None for a sample to drop}.
        lineage: params of the new run that say who decided, and how much.
    """

    labels: dict[str, str | None]
    lineage: dict[str, object]


def collect_corrections(source: Run, samples: pd.DataFrame, config: CurateConfig) -> Corrections:
    """Return what the run's reviewers decided, and what the file that `corrections=` names changes.

    Where both decide about a sample, the file wins, because the user names it in this very command.

    Args:
        source: run that was reviewed.
        samples: DataFrame with the columns id, label and proposed.
        config: keys of conf/curate.yaml; `corrections` is a path or None.

    Raises:
        ConfigError: `keep=corrected` has neither a file nor a decision.
        DataError: a file, or a line of one, names what the run does not have.
    """
    # The classes that the model proposes may be more than those that have a name or that a sample is labeled with.
    names = dict.fromkeys([*source.class_names(), *samples["label"], *samples["proposed"]])
    names.pop("", None)
    given = dict(zip(samples["id"].astype(str), samples["label"], strict=True))
    found = _decided(source, given, list(names), config.keep)
    if config.corrections is None:
        if config.keep == "corrected" and not found.lineage:
            raise ConfigError(
                f"keep=corrected: run {source.run_id} has no decisions of a review ({schema.DECISIONS_FILE}); review "
                f"samples: {source.command('review')}, or give corrections=<an edited diagnosis.tsv>"
            )
        return found
    with opened(config.corrections, config.tracking.uri, f"corrections={config.corrections}") as file:
        content = files.content(file)
    with without_keys():
        edited = spreadsheet.read(content, config.corrections, ("id", "label"))
    labels = curation.corrections(edited, config.corrections, samples["id"], list(names))
    changed = {key: label for key, label in labels.items() if label != given[key]}
    return Corrections({**found.labels, **changed}, found.lineage)


def read_decisions(run: Run) -> list[decisions.Decision]:
    """Return the decisions of a run that count: the newest of each sample and reviewer, without those undone."""
    found, _ = decisions.parse_files(storage.read_files(run))
    of_samples = decisions.by_sample(found).values()
    return [one for of_sample in of_samples for one in of_sample.values()]


def _decided(source: Run, given: dict[str, str], names: list[str], keep: str) -> Corrections:
    files = storage.read_files(source)
    found, torn = decisions.parse_files(files)
    outcome = decisions.outcome(found)
    if not outcome.samples:
        return Corrections({}, {})
    labels = {key: label for key, label in outcome.labels.items() if key in given}
    strange = sorted({label for label in labels.values() if label is not None} - set(names))
    if strange:
        known = first_few(names, 20)
        raise DataError(
            f"{schema.DECISIONS_FILE}: label {first_few(strange)} is not a class of the run (classes: {known})"
        )
    dropped = sum(label is None for label in labels.values())
    kept = sum(label == given[key] for key, label in labels.items())
    say(
        "{samples} reviewed by {reviewers}; their decisions override any rule: {kept:,} kept, {relabeled:,} "
        "relabeled, {dropped:,} dropped",
        samples=Amount(outcome.samples, definition_of(source).row),
        reviewers=first_few(outcome.reviewers, SHOWN),
        kept=kept,
        relabeled=len(labels) - kept - dropped,
        dropped=dropped,
    )
    left = translate("they keep their labels" if keep == "corrected" else "the rule decides")
    _say(source, outcome, torn, len(outcome.labels) - len(labels), left)
    digest = digest_of(*(content for _, content in files))
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


def _say(source: Run, outcome: decisions.Outcome, torn: int, unknown: int, left: str) -> None:
    if outcome.unsure:
        unsure = Amount(len(outcome.unsure), definition_of(source).row)
        say("note: nobody was sure about {samples}: {outcome}", samples=unsure, outcome=left)
    if outcome.conflicts:
        say(
            "note: reviewers disagree about {samples} ({outcome}): {ids}",
            samples=Amount(len(outcome.conflicts), definition_of(source).row),
            outcome=left,
            ids=first_few(outcome.conflicts, SHOWN),
        )
    say_left_out(source, torn, unknown)


def say_left_out(run: Run, torn: int, unknown: int) -> None:
    """Report lines that hold no decision, and decisions on what the run does not have."""
    if torn:
        say(
            "note: ignoring {lines} of {folder}/ without a valid decision (was a server killed?)",
            lines=Amount(torn, "line"),
            folder=schema.REVIEW_DIR,
        )
    if unknown:
        strange = Amount(unknown, "decision")
        say(
            "note: ignoring {decisions} on {unit}s that the run does not have",
            decisions=strange,
            unit=Phrase(definition_of(run).row),
        )
