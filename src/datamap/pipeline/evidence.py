"""Gather the evidence for and against a run's labels from its artifacts, as `mislabel.Evidence`."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from datamap import schema
from datamap.errors import SummaryError
from datamap.labels import counting, embedding_witness, mislabel, unit_witnesses, witnesses
from datamap.labels.memorization import Onset, accuracies, from_accuracies, from_doubted
from datamap.log import reporting
from datamap.pipeline import memorization
from datamap.pipeline.run_access import definition_of
from datamap.pipeline.stored_embeddings import stored_embeddings
from datamap.pipeline.stored_summary import summarized_observations
from datamap.pipeline.stored_texts import Texts, sample_texts, unit_rows
from datamap.recording.stored_signals import extra_signals_of
from datamap.schema import Task
from datamap.signals import align, class_probs, shards
from datamap.signals.observations import Observations
from datamap.tasks import units
from datamap.tracking.metrics import valid_accuracies
from datamap.tracking.run import Run
from datamap.translations import Amount

MAX_CELLS = 2**30  # samples times classes; the scores need dozens of bytes for each


class LabelEvidence(NamedTuple):
    """Hold what is known of a run's labels.

    Attributes:
        evidence: the evidence, with its posterior.
        about: how many labels are wrong.
        onset: the observation from which on the model memorizes labels, or None.
        numbers: numbers of the observations that the summary covers.
    """

    evidence: mislabel.Evidence
    about: counting.Estimate
    onset: Onset | None
    numbers: list[int]


def gather_evidence(run: Run, samples: pd.DataFrame, score: str) -> LabelEvidence:
    """Read all that helps to judge a run's labels, and train quick models, the witnesses, on its texts.

    Args:
        run: run with a summary.
        samples: columns of its summary; the evidence is in its order.
        score: score to compute; only `aum` needs the threshold samples.

    Raises:
        SummaryError: the summary does not fit the run's signals, or has too many samples times classes.
    """
    run.fetch(schema.SAMPLES_FILE, schema.EMBEDDINGS_FILE)
    observed, allow_missing = summarized_observations(run)
    ids, labels = align.array(samples["id"]), samples["label"].to_numpy()
    folds = extra_signals_of(run, schema.HOLDOUT_DIR)
    observations = Amount(len(observed), "observation")
    with reporting("reading the signals of {observations}", observations=observations):
        inside = class_probs.read(run.artifacts, observed, allow_missing).ordered(ids, schema.SIGNALS_DIR)
        held_out = _held_out(run, folds, ids) if folds else None
    threshold = extra_signals_of(run, schema.THRESHOLD_DIR) if score == "aum" else None
    # Accuracy on unseen samples: of the folds, which have the same labels as training, else of the development data.
    seen = accuracies(observed, inside.wrong, len(ids))
    unseen = valid_accuracies(run.history(memorization.UNSEEN))
    if held_out and (held_out.probs is None or mislabel.beats_chance(held_out.probs, labels)):
        unseen = accuracies(folds, held_out.wrong, len(ids))
    _refuse_classes(run, labels, inside.probs)
    count = Amount(len(ids), definition_of(run).row)
    with reporting("training quick models on the texts of {samples}", samples=count):
        judges = _witnesses(run, samples, ids, inside.probs)
    evidence = mislabel.Evidence.of_summary(
        samples,
        inside.wrong,
        mean=inside.probs,
        held_out=held_out and held_out.probs,
        witnesses=judges,
        threshold_margins=_margins(run, threshold) if threshold else None,
        columns=_columns(run, ids),
    )
    with reporting("scoring {samples}", samples=count):
        evidence = mislabel.with_posterior(evidence)
        about = counting.estimate(evidence)
    if unseen or evidence.pool is None:
        onset = from_accuracies(seen, unseen)
    else:  # if the number of wrong labels is unknown, the witnesses doubt right labels, too
        onset = _onset(evidence, seen, inside.correct) if about.known else None
    return LabelEvidence(evidence, about, onset, sorted(observed))


def _held_out(run, folds, ids):
    """Return the folds' predictions for the samples or units, each by a model that has not seen it."""
    binary = bool(definition_of(run).states)
    return class_probs.read(run.artifacts, folds, binary=binary).ordered(ids, schema.HOLDOUT_DIR)


def _refuse_classes(run, labels, probs):
    """Raise SummaryError for labels beyond the run's classes, or so many classes that no table of them fits."""
    most, classes = int(labels.max()), len(run.class_names()) if probs is None else probs.shape[1]
    if classes and most >= classes:
        raise SummaryError(
            f"run {run.run_id}: {schema.SUMMARY_FILE} has label {most}, but the run has {classes} classes"
        )
    if len(labels) * (most + 1) > MAX_CELLS:
        row = definition_of(run).row
        raise SummaryError(
            f"run {run.run_id}: {len(labels):,} {row}s of {most + 1:,} classes are too many for a diagnosis "
            f"({row}s times classes: at most {MAX_CELLS:,})"
        )


def _onset(evidence, seen, correct):
    """Return the onset of memorization by the labels that the witnesses doubt most; None where there is none.

    A model that predicts such a label has memorized it.
    """
    probs, labels = evidence.pool.probs, evidence.labels
    unseen = float((probs.argmax(axis=1) == labels).mean())
    return from_doubted(seen, unseen, correct[:, counting.doubted_rows(probs, labels)])


def _witnesses(run, samples, ids, probs):
    """Return the class probabilities of quick models of the run's texts and embeddings; None where it has neither.

    Each model is cross-validated, so that it never saw the labels that it judges.
    """
    labels = samples["label"].to_numpy()
    classes = max(int(labels.max()) + 1, 0 if probs is None else probs.shape[1])
    if definition_of(run).unit:
        return _of_units(run, ids, labels, classes)
    texts, found = Texts(run).lists(ids), {}
    if texts:
        found = witnesses.predict_unseen(texts["text_a"], texts.get("text_b"), labels, classes)
    vectors = stored_embeddings(run, ids)
    if vectors is not None:
        found[embedding_witness.NAME] = embedding_witness.predict(
            vectors.first, vectors.second, labels, classes
        )
    return None if not texts and vectors is None else found


def _of_units(run, ids, labels, classes):
    """Return the predictions for each unit by quick models of its tokens, texts or embeddings; None without these."""
    if run.task().task is Task.TOKENS:
        rows = unit_rows(run)
        if rows is None:
            return None
        return unit_witnesses.predict_tokens(
            rows.given.tokens, *rows.tokens_of(*units.grouped(ids)), labels, classes
        )
    distinct, groups, positions = units.grouped(ids)
    texts = sample_texts(run, distinct)
    vectors, found = stored_embeddings(run, distinct), {}
    if texts:
        found = unit_witnesses.predict_labels(texts["text_a"], texts.get("text_b"), groups, positions, labels)
    if vectors is not None:
        parts = vectors.first, vectors.second
        found[embedding_witness.NAME] = unit_witnesses.predict_from_embeddings(
            *parts, groups, positions, labels
        )
    return None if not texts and vectors is None else found


def _columns(run, ids):
    """Return which units have the same frequencies of classes: those of the same label, or all tokens."""
    definition = definition_of(run)
    if not definition.unit:
        return None
    return units.grouped(ids)[2] if definition.states else np.zeros(len(ids), np.int32)


def _margins(run, whole):
    """Return the mean margin of each threshold sample over the observations (AUM, Pleiss et al. 2020)."""
    tables = ((number, shards.read(run.artifacts, parts)) for number, parts in whole.items())
    return Observations.from_tables(tables).further["margin"].mean(axis=0)
