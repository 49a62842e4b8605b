"""Make a new training file from a run's samples, and log it into a run of its own."""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from datamap import schema
from datamap.config import CurateConfig, to_yaml
from datamap.data import dataset
from datamap.errors import ConfigError, TrackingError, counted, first_few
from datamap.labels import curation
from datamap.log import say
from datamap.pipeline import corrections, next_training, stored_diagnosis
from datamap.pipeline.diagnose import ensure_diagnosis
from datamap.pipeline.summarize import ensure_summary
from datamap.signals import align
from datamap.signals.stored import signals_of
from datamap.summaries import tsv
from datamap.tracking import addresses, descriptions
from datamap.tracking.run import PARENT_TAG, Run
from datamap.tracking.store import Store, resolved
from datamap.translations import translate

COLUMNS = {"id", "s_label", "label_var", "avg_probs", "correct_times", "forgetting_times"}
BY_SCORE = ("clean", "relabelled")
BY_SHARE = (*BY_SCORE, "ambiguous", "both_ends")
HALF = 0.5  # smallest part of a class that stays where the estimate alone decides how many samples to drop
FROM_TAG = "datamap.curated_from"
REVIEWED_TAG = "datamap.reviewed_by"


def curate(config: CurateConfig, score: str | None = None) -> Run:
    """Log `curated.tsv` into a new run below the run that it is made from, and return the new run.

    Apply the rule of `keep`, then people's decisions, which overrule it; then keep every class trainable.

    Args:
        config: keys of conf/curate.yaml.
        score: score that the run's diagnosis must have been made with; None = any.

    Raises:
        ConfigError: an option that the rule does not use, or a result that no classifier can be trained on.
        TrackingError: the run has no texts, or its diagnosis lacks samples.
        DataError: a correction names a sample or a class that the run does not have.
    """
    _check(config)
    where = (config.tracking.uri, config.tracking.experiment)
    config = replace(config, corrections=config.corrections and resolved(config.corrections, *where))
    store = Store(*where)
    source = store.run(config.run_id)
    source.speak(config.lang)
    texts = source.artifacts.find(schema.SAMPLES_FILE)
    if texts is None:
        signals_of(source)  # raises if the store's folder was moved
        raise TrackingError(
            f"run {source.run_id} has no texts ({schema.SAMPLES_FILE}), and curated.tsv is made of them: "
            "train without log_text=false, import with texts=, record with samples="
        )
    samples = _samples(source, config, score)
    rule = curation.RULES[config.keep](samples, _count(source, samples, config))
    labels, lineage = corrections.of_run(source, samples, config)
    choice = _sparing(samples, curation.decided(rule, samples, labels), config)
    if config.balance:
        choice = _balanced(choice)
    choice, gone = _without_lone(samples, choice)
    frame = _frame(samples, choice, tsv.texts_of(texts, samples["id"].tolist()))
    counts = _counts(samples, choice)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, schema.CURATED_FILE)
        file.write_bytes(b"".join(tsv.lines(frame)))
        # Read the file as training will read it, so that one that cannot be trained on is never logged.
        curated = dataset.load_samples(file, {}, name=schema.CURATED_FILE)
        say(
            "{file}: {samples:,} of {samples_before:,} samples, {relabelled:,} relabelled, digest {digest}",
            file=schema.CURATED_FILE,
            digest=curated.digest,
            **counts,
        )
        return _log(store, source, config, file, curated, counts, gone, lineage)


def _check(config):
    """Raise ConfigError for options that the rule does not use, rather than ignore them silently."""
    for key, rules in (("share", BY_SHARE), ("threshold", BY_SCORE), ("corrections", ("corrected",))):
        if getattr(config, key) is not None and config.keep not in rules:
            raise ConfigError(f"{key}: keep={config.keep} does not use it (only {', '.join(rules)})")
    if config.share is not None and config.threshold is not None:
        raise ConfigError("share and threshold: give one of them")


def _sparing(samples, choice, config):
    """Return a choice that keeps every class, and at least half of it where the estimate alone decides.

    Print a note that names the classes whose samples this keeps.
    """
    if config.drop_classes or config.keep == "corrected":
        return choice
    by_score = config.keep in BY_SCORE
    order = -samples["rank"].to_numpy(float) if by_score else choice.order
    share = HALF if by_score and config.share is None and config.threshold is None else 0
    choice, spared = curation.with_every_class(choice, samples["label"].to_numpy(object), order, share)
    if spared:
        say(
            "note: of class {classes} the rule would leave fewer: {samples} stay as they are, the least doubtful "
            "(drop_classes=true: not)",
            classes=first_few(spared),
            samples=translate("half of the samples" if share else "two samples"),
        )
    return choice


def _balanced(choice):
    """Return a choice with as many samples of each class; print a note where people's decisions keep more of one."""
    choice = curation.balanced(choice)
    counts = pd.Series(choice.labels[choice.kept]).value_counts()
    if counts.nunique() > 1:
        larger = counts.index[counts > counts.min()]
        stays = "note: class {classes} stays larger: people decided to keep its samples"
        say(stays, classes=first_few(sorted(larger)))
    return choice


def _without_lone(samples, choice):
    """Return the choice without classes that have a single sample left, and the names of all classes that are gone.

    Raises:
        ConfigError: nothing is left to train on.
    """
    choice, lone = curation.without_lone(choice)
    left = sorted(set(choice.labels[choice.kept]))
    gone = sorted(set(samples["label"]) - set(left))
    if len(left) < 2:
        what = f"samples of class {left[0]} only" if left else "no sample"
        raise ConfigError(
            f"the rule leaves {what}; a classifier needs two classes (share= threshold= balance=)"
        )
    if gone:
        none = "note: no sample is left of class {classes}"
        with_lone = "note: no sample is left of class {classes} ({lone} had one sample left)"
        say(with_lone if lone else none, classes=first_few(gone), lone=first_few(lone))
    return choice, gone


def _samples(source, config, score):
    """Return the summary and the diagnosis of the run's samples as one DataFrame, in the summary's order.

    Diagnose the run first where it has no diagnosis. The column `place` is a sample's rank in the diagnosis, 0 = most
    likely wrong.
    """
    columns, _ = ensure_summary(source, config.diagnose, COLUMNS)
    ensure_diagnosis(source, replace(config.diagnose, tracking=config.tracking))
    stored_diagnosis.check_score(source, score)
    if stored_diagnosis.is_outdated(source):
        command = stored_diagnosis.diagnose_command(source)
        say("note: the summary is newer than the diagnosis; renew it: {command}", command=command)
    found = stored_diagnosis.frame_of(source.artifacts.read(schema.DIAGNOSIS_FILE))
    rows = align.rows(columns["id"], found.pop("id"))
    missing = (rows < 0).sum()
    if missing:
        raise TrackingError(
            f"run {source.run_id}: {schema.DIAGNOSIS_FILE} lacks {counted(missing, 'sample')}; "
            f"renew it: {source.command('diagnose')}"
        )
    return columns.assign(rank=rows, **{name: found[name].to_numpy()[rows] for name in found})


def _count(source, samples, config):
    """Return the number of samples that the rule drops, relabels or keeps.

    Use `threshold` if given, then `share`, then the estimate of `diagnose` (rules by score) or a third (other rules).

    Raises:
        ConfigError: the rule needs an estimate, and the diagnosis has none.
    """
    if config.threshold is not None:
        return int((samples["score"] >= config.threshold).sum())
    if config.share is not None:
        return round(config.share * len(samples))
    if config.keep in BY_SCORE:
        found = source.metrics()
        if "mislabelled/estimate" not in found:
            raise TrackingError(
                f"run {source.run_id} has a diagnosis, but not its metrics; diagnose it again: "
                f"{source.command('diagnose')}, or give share= or threshold="
            )
        if not found.get("mislabelled/known", 1):
            raise ConfigError(
                f"keep={config.keep}: how many labels of run {source.run_id} are wrong cannot be known, as nothing "
                "foretells unseen labels well enough; give share= or threshold="
            )
        return int(found["mislabelled/estimate"])
    return round(len(samples) / 3)


def _frame(samples, choice, texts):
    """Return the rows of the curated file: id, texts, label, and s_label where it is still known."""
    columns = {"id": samples["id"], **texts, "label": choice.labels}
    changed = choice.labels != samples["label"].to_numpy(object)
    planted = (samples["s_label"] == schema.DIRTY).to_numpy()
    if not changed.any():
        columns["s_label"] = samples["s_label"]
    elif planted.any() and samples["label"].nunique() == 2:
        # With two classes, relabeling a sample that was planted wrong makes it right, and one that was right, wrong.
        columns["s_label"] = np.where(
            changed, np.where(planted, schema.NORMAL, schema.DIRTY), samples["s_label"]
        )
    elif planted.any():
        say("note: which relabelled samples are right is unknown with several classes: s_label is left out")
    return pd.DataFrame(columns)[choice.kept]


def _counts(samples, choice):
    changed = choice.kept & (choice.labels != samples["label"].to_numpy(object))
    return {
        "samples_before": len(samples),
        "samples": int(choice.kept.sum()),
        "relabelled": int(changed.sum()),
    }


def _log(store, source, config, file, curated, counts, gone, lineage):
    """Log the file, its source and its rule into a new run below the source run, and return the new run."""
    name = config.tracking.run_name or f"{config.keep} {source.info.run_name}"
    rule = {key: getattr(config, key) for key in ("keep", "share", "threshold", "corrections", "balance")}
    with store.new_run(name, config.tracking.tags) as run:
        address = f"runs:/{run.run_id}/{schema.CURATED_FILE}"
        command = _command(source, config, address, gone)
        reviewed = {REVIEWED_TAG: lineage["reviewers"]} if lineage else {}
        run.set_tags({FROM_TAG: source.run_id, PARENT_TAG: source.run_id, **reviewed})
        run.log_params(
            {
                "source_run": source.run_id,
                **{key: value for key, value in rule.items() if value is not None and value is not False},
                **lineage,
            }
        )
        run.log_config("curate", to_yaml(config))
        run.log_file(file, schema.CURATED_FILE)
        run.log_dataset(curated.frame(), "curated", address, curated.digest, "curated")
        run.log_metrics({f"curated/{name}": value for name, value in counts.items()}, 0)
        run.lang = source.lang
        name = source.info.run_name
        run.describe(descriptions.of_curated(name, source.link, config.keep, counts, command, run.language))
    say("run {run}  ({address})", run=run.run_id, address=run.address)
    say("next: {command}", command=command)
    return run


def _command(source, config, address, gone):
    """Return the command that trains on a curated file as the source was trained."""
    data = {"data": "file", "data.path": address}
    data |= dict(option.split("=", 1) for option in addresses.options(source.tracking_uri))
    if config.tracking.experiment:
        data["tracking.experiment"] = config.tracking.experiment
    return next_training.command(source, data, gone)
