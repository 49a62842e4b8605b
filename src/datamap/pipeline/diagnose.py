"""Rank a run's samples by how likely their label is wrong, and log the list into the run."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from datamap import schema
from datamap.config import DiagnoseConfig, to_yaml
from datamap.errors import ConfigError
from datamap.labels import diagnosis, mislabel, relabeling
from datamap.labels.counting import REASONS, Estimate, has_learned
from datamap.log import reporting, say
from datamap.maps import regions
from datamap.pipeline import memorization, unit_samples, unlabeled_diagnosis
from datamap.pipeline.evidence import LabelEvidence, gather_evidence
from datamap.pipeline.explorer import regenerate_explorer
from datamap.pipeline.run_access import definition_of, open_run
from datamap.pipeline.run_description import describe
from datamap.pipeline.stored_diagnosis import log_diagnosis
from datamap.pipeline.stored_embeddings import log_embeddings
from datamap.pipeline.stored_texts import Texts
from datamap.pipeline.summarize import ensure_summary
from datamap.schema import Task
from datamap.signals import align
from datamap.signals.baseline import required_accuracy
from datamap.tasks import entities, units
from datamap.tracking.descriptions import ENOUGH, MIN_OBSERVATIONS, UNKNOWN_TAG
from datamap.tracking.run import Run
from datamap.translations import Amount, Phrase, translate, word

COLUMNS = {
    "id", "label", "s_label", "avg_probs", "label_var", "correct_times", "forgetting_times", "margin_mean"
}  # fmt: skip


def diagnose(config: DiagnoseConfig, embeddings: Any = None) -> Run:
    """Score a run's samples, log `diagnosis.tsv` and its metrics, and return the run.

    Args:
        config: keys of conf/diagnose.yaml.
        embeddings: arrays to use instead of the files that `config.embeddings` names.

    Raises:
        DataMapError: the run has no signals, or they are damaged.
    """
    run = open_run(config, "diagnose")
    diagnose_run(run, config, embeddings=embeddings)
    return run


def ensure_diagnosis(run: Run, config: DiagnoseConfig) -> None:
    """Diagnose a run where it has no diagnosis."""
    if not run.has(schema.DIAGNOSIS_FILE):
        say("run {run} has no {file} yet: diagnosing it first", run=run.run_id, file=schema.DIAGNOSIS_FILE)
        diagnose_run(run, config, next_step=False)


def diagnose_run(run: Run, config: DiagnoseConfig, next_step: bool = True, embeddings: Any = None) -> None:
    """Score a run's samples by how likely their label is wrong, and log `diagnosis.tsv` and its metrics.

    Args:
        run: run to diagnose; it is summarized first if it has no summary.
        config: keys of conf/diagnose.yaml.
        next_step: print the commands that use the diagnosis.
        embeddings: arrays to use instead of the files that `config.embeddings` names.
    """
    definition = definition_of(run)
    if not definition.has_classes:
        unlabeled_diagnosis.check(run, definition, config.score)
    run.fetch(schema.PACK_FILE)
    samples, observations = ensure_summary(run, config, COLUMNS if definition.has_classes else None)
    given = config.embeddings if embeddings is None else embeddings
    if given is not None or config.encoder is not None:
        log_embeddings(run, _embedded(samples, definition), given, config.encoder)
    if not definition.has_classes:
        _rank_unlabeled(run, samples, observations, config, next_step)
        return
    with run.together():
        count, (about, report) = len(samples), _logged(run, samples, config)
        del samples
        regenerate_explorer(run)  # after what it was judged by is out of memory
        describe(run, count)
    for line in report:
        say(line)
    if next_step and run.has(schema.SAMPLES_FILE):
        say("review them: {command}", command=run.command("review"))
        by_score = ["keep=clean"] if about.known else ["keep=clean", "share=0.05"]
        say("next: {command}", command=run.command("curate", *_rule(run, by_score)))


def _logged(run: Run, samples: pd.DataFrame, config: DiagnoseConfig) -> tuple[Estimate, list[Phrase]]:
    """Score the labels, log the diagnosis with its metrics, and return (the estimate, the lines that report it)."""
    definition = definition_of(run)
    known = gather_evidence(run, samples, config.score)
    onset, numbers = known.onset, known.numbers
    with reporting("building {file}", file=schema.DIAGNOSIS_FILE):
        found = _diagnosed(run, samples, known, config)
        run.log_config("diagnose", to_yaml(config))
        first = log_diagnosis(run, found.made)
        of_samples = unit_samples.log_diagnosis(run, found.made) if definition.unit else {}
    changed = memorization.metrics(onset) or memorization.withdrawn_metrics(run, numbers)
    run.log_metrics({**_metrics(found, of_samples), **changed}, max(run.committed()))
    run.set_tags({UNKNOWN_TAG: found.about.unknown})
    report = [memorization.note(onset, numbers)] if onset else []
    report += [*_doubts(found, len(run.committed()), definition.row), *_told(run, found, first)]
    if of_samples:
        expected = "  in about {samples}; {file} ranks each sample by its worst {unit}"
        wrong, unit = Amount(round(of_samples["samples"]), "sample"), translate(definition.unit)
        report.append(Phrase(expected, {"samples": wrong, "file": schema.UNITS_DIAGNOSIS_FILE, "unit": unit}))
    return found.about, report


class _Diagnosed(NamedTuple):
    """Hold a diagnosis and its numbers over all samples.

    Attributes:
        made: the rows of diagnosis.tsv, and what they rest on.
        about: how many labels are wrong.
        to_relabel: the number of labels that `curate keep=relabelled` would replace.
        measured: how well the scores rank planted dirty samples first; {} where none are known.
        judges: {witness: (accuracy, weight)} (`mislabel.witness_accuracies`).
    """

    made: diagnosis.Diagnosis
    about: Estimate
    to_relabel: int
    measured: dict[str, float]
    judges: dict[str, tuple[float, float]]


def _diagnosed(run: Run, samples: pd.DataFrame, known: LabelEvidence, config: DiagnoseConfig) -> _Diagnosed:
    """Score the labels by the evidence."""
    evidence, about = known.evidence, known.about
    scores = mislabel.SCORES[config.score](evidence)
    probable = config.score == "combined" and about.known
    if config.score == "combined" and evidence.run_weights:
        # Calibrated scores are nearer to probabilities even where the number is not known.
        scores = mislabel.calibrate(scores, about.estimate)
    names, proposed = _class_names(run, evidence), mislabel.proposals(evidence, scores if probable else None)
    made = diagnosis.Diagnosis(
        samples,
        evidence,
        scores,
        proposed,
        regions.assign(samples, _limits(config.regions, samples)),
        names,
        Texts(run).lists if config.texts else lambda ids: {},
        probable,
        run.language,
        _kinds(run, samples, evidence, names, proposed),
    )
    sure = relabeling.count_supported(evidence, scores, proposed, about) if probable else 0
    measured = _measured(samples["s_label"].to_numpy(), scores)
    return _Diagnosed(made, about, sure, measured, mislabel.witness_accuracies(evidence))


def _metrics(result: _Diagnosed, of_samples: dict[str, float]) -> dict[str, float]:
    own = {**result.about.numbers(), "to_relabel": result.to_relabel, **result.measured, **of_samples}
    metrics = {f"mislabelled/{name}": float(value) for name, value in own.items()}
    for name, (accuracy, weight) in result.judges.items():  # models that never saw the labels that they judge
        metrics |= {f"witness/{name}_accuracy": accuracy, f"witness/{name}_weight": weight}
    weights = result.made.evidence.run_weights
    return {**metrics, "witness/run_weight": weights.confidence} if weights else metrics


def _rank_unlabeled(run, samples, observations, config, next_step):
    """Rank the samples of a run without classes, and log and report that."""
    areas = regions.assign(samples, _limits(config.regions, samples))
    first, scores = unlabeled_diagnosis.rank(run, samples, observations, config, areas)
    measured = _measured(samples["s_label"].to_numpy(), scores)
    if measured:
        logged = {f"mislabelled/{name}": float(value) for name, value in measured.items()}
        run.log_metrics(logged, max(run.committed()))
    unlabeled_diagnosis.report(run, areas, first)
    for line in _measured_told(measured, "sample"):
        say(line)
    if next_step:
        say("read them: {command}", command=run.command("review"))
        say(
            "next: {command}",
            command=run.command("curate", *_rule(run, ["keep=matching", "where=correct_times > 0"])),
        )


def _embedded(samples, definition):
    """Return the ids of the samples that embeddings are of: those of a label's text, and none of tokens."""
    ids = align.array(samples["id"])
    if definition.task is Task.TOKENS:
        raise ConfigError(
            "embeddings= and encoder= cannot judge tokens, because they embed whole sentences; train with "
            "data.folds=3 instead"
        )
    return units.grouped(ids)[0] if definition.unit else ids


def _kinds(run, samples, evidence, names, proposed):
    """Return what says which kind of error of an entity each proposal corrects; None if labels are no such tags."""
    if run.task().task is not Task.TOKENS or not entities.are_entities(names):
        return None
    kinds = entities.kinds(evidence.labels, proposed, names, units.follows(samples["id"]))
    return lambda rows: [word(kind, run.language) for kind in kinds(rows)]


def _rule(run: Run, otherwise: list[str]) -> list[str]:
    """Return the overrides of `curate` to suggest: people's decisions where there are some, else those given."""
    return ["keep=corrected"] if run.files(schema.REVIEW_DIR) else otherwise


def _class_names(run, evidence):
    """Return the class names by index; a class without a name gets its index."""
    names = run.class_names()
    known = 0 if evidence.mean is None else evidence.mean.shape[1]
    count = max(known, int(evidence.labels.max()) + 1)
    return schema.all_class_names(names, count)


def _doubts(result: _Diagnosed, committed: int, unit: str) -> Iterator[Phrase]:
    """Yield a note for each reason to doubt the diagnosis: few observations, a weak model, no independent model."""
    evidence, about = result.made.evidence, result.about
    observations = len(evidence.wrong)
    if observations < MIN_OBSERVATIONS:
        more = "train for more epochs, or wait until the run has ended"
        if observations < committed:
            more = "summarize more of its {committed:,} (until=, burn_in=)"
        yield Phrase(
            "note: a diagnosis from {observations} tells little about how {unit}s were learned: {advice}",
            {
                "observations": Amount(observations, "observation"),
                "unit": Phrase(unit),
                "advice": translate(more, committed=committed),
            },
        )
    total = len(evidence.labels)
    right, common = 1 - evidence.wrong[-1] / total, np.bincount(evidence.labels).max() / total
    enough = required_accuracy(evidence.labels)
    if evidence.held_out is not None:
        unseen, _ = result.judges["folds"]
        if unseen < enough <= right:
            yield Phrase(
                "note: models that never saw the {unit}s predict {unseen:.0%} of them (most common class: "
                "{common:.0%}), so they count little; use more data, epochs or data.folds",
                {"unit": Phrase(unit), "unseen": unseen, "common": common},
            )
    if not has_learned(evidence):
        yield Phrase(
            "note: in the end the model predicts {right:.0%} of the {unit}s (most common class: {common:.0%}), too "
            "few to find wrong labels; train longer, or change the learning rate",
            {"unit": Phrase(unit), "right": right, "common": common},
        )
    if not about.known:
        yield Phrase(
            "note: the number of wrong labels cannot be estimated: {reason}. Read the list from the top, and give "
            "curate share= or threshold=",
            {"reason": translate(REASONS[about.unknown])},
        )
    if evidence.witnesses is None and evidence.held_out is None:
        yield Phrase(
            "note: no independent model judges the labels: train with data.folds=3, record with samples=, or give "
            "embeddings="
        )


def _limits(options, samples):
    limits = regions.Limits(options.variance, options.confidence, options.noisy)
    if options.by == "absolute":
        return limits
    if options.by == "relative":
        return regions.relative_limits(samples, limits)
    if limits.variance > 1:
        raise ConfigError(f"regions.variance={limits.variance}: give a quantile from 0 to 1")
    return regions.quantile_limits(samples, limits)


def _measured(s_label, scores):
    """Return how well the scores rank the planted dirty samples first; {} where none are known."""
    dirty = s_label == schema.DIRTY
    if not 0 < dirty.sum() < len(dirty):
        return {}
    from sklearn.metrics import average_precision_score, roc_auc_score

    return {
        "auroc": roc_auc_score(dirty, scores),
        "average_precision": average_precision_score(dirty, scores),
        "precision_at_true_number": mislabel.precision_at(scores, dirty, dirty.sum()),
    }


def _told(run: Run, result: _Diagnosed, first: pd.DataFrame) -> Iterator[Phrase]:
    """Yield the lines that report the result."""
    made, evidence, about, total = result.made, result.made.evidence, result.about, len(result.made.scores)
    where = run.opened_at(schema.DIAGNOSIS_FILE)
    listed = "{file}: {samples}, most likely wrong first: {address}"
    count = Amount(total, definition_of(run).row)
    yield Phrase(listed, {"file": schema.DIAGNOSIS_FILE, "samples": count, "address": where})
    if about.known:
        yield Phrase(
            "  about {labels} ({share:.1%}), between {low:,} and {high:,}: review the list from the top until "
            "{row} in a row are right",
            {
                "labels": Amount(about.estimate, "wrong label"),
                "share": about.estimate / total,
                "low": about.low,
                "high": about.high,
                "row": ENOUGH,
            },
        )
    if result.judges:
        one = "{name} {accuracy:.0%} (weight {weight:.2f})"
        said = [
            translate(one, name=name, accuracy=accuracy, weight=weight)
            for name, (accuracy, weight) in result.judges.items()
        ]
        yield Phrase(
            "  accuracy on labels that they never saw: {judges}",
            {"judges": translate(", ").join(said)},
        )
    if evidence.run_weights and (
        evidence.mean is None or mislabel.beats_chance(evidence.mean, evidence.labels)
    ):
        yield Phrase(
            "  weight of the run's own predictions, by what they add to the given labels: {weight:.2f}",
            {"weight": evidence.run_weights.confidence},
        )
    yield Phrase("  " + diagnosis.regions_told(made.regions, run.language))
    states = definition_of(run).states
    for rank, row in enumerate(first.to_dict("records"), 1):
        place = f"{row['score']:.3f}" if made.probable else f"{rank}."
        given, proposed = (
            word(name, run.language) if name in states else name for name in (row["label"], row["proposed"])
        )
        label = f"{given} → {proposed}" if proposed else given
        yield Phrase(f"  {place}  {label}  {row['id']}  {diagnosis.texts_told(row)}".rstrip())
    yield from _measured_told(result.measured, definition_of(run).row)


def _measured_told(measured: dict[str, float], unit: str) -> Iterator[Phrase]:
    if measured:
        yield Phrase(
            "  planted dirty {unit}s: auroc {auroc:.3f}, average precision {average_precision:.3f}, precision at true "
            "number {precision_at_true_number:.3f}",
            {"unit": Phrase(unit), **measured},
        )
