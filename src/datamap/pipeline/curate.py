"""Choose the samples of a new training file by a rule, and log it into a run of its own."""

from dataclasses import replace

import pandas as pd

from datamap import schema
from datamap.config import CurateConfig, to_yaml
from datamap.data import dataset
from datamap.errors import ConfigError, TrackingError, counted, first_few
from datamap.labels import conditions, curation, relabeling
from datamap.log import reporting, say
from datamap.pipeline import corrections, curated_files, curated_units, stored_diagnosis
from datamap.pipeline.diagnose import ensure_diagnosis
from datamap.pipeline.run_access import definition_of, logged_together, open_store_and_run
from datamap.pipeline.summarize import ensure_summary
from datamap.recording.stored_signals import signals_of
from datamap.signals import align
from datamap.tasks import units
from datamap.tracking import descriptions, selections
from datamap.tracking.run import PARENT_TAG, Run
from datamap.tracking.store import resolved
from datamap.translations import translate

COLUMNS = {"id", "s_label", "label_var", "avg_probs", "correct_times", "forgetting_times"}
OF_DIAGNOSIS = ("id", "score", "label", "proposed", "evidence")
# The metric that tells how many samples a rule changes.
COUNTS = {"clean": "mislabelled/estimate", "relabelled": "mislabelled/to_relabel"}
BY_SCORE = tuple(COUNTS)
BY_SHARE = (*BY_SCORE, "ambiguous", "both_ends")
# Rules that choose whole samples, even if these have units.
BY_SAMPLE = ("ambiguous", "both_ends", "forgettable")
MIN_DROPPED = 0.5  # probability that a token or label is wrong, beyond which `keep=clean` drops its sample
HALF = 0.5  # smallest part of a class that stays where the estimate alone decides how many samples to drop
RULE_KEYS = ("keep", "where", "share", "threshold", "corrections", "balance")
REVIEWED_TAG = "datamap.reviewed_by"


def curate(config: CurateConfig, score: str | None = None) -> Run:
    """Log a new training file into a new run below the run that it is made from, and return the new run.

    Apply the rule of `keep` and the conditions of `where`, then people's decisions, which overrule both, and keep no
    others than `ids`. Labeled texts become `curated.tsv`, in which every class stays trainable; examples without labels
    become `curated.jsonl`, the rows as they were given.

    Args:
        config: keys of conf/curate.yaml.
        score: score that the run's diagnosis must have been made with; None = any.

    Raises:
        ConfigError: an option that the rule or the task does not use, or a result that nothing can be trained on.
        TrackingError: the run has no texts, or its diagnosis lacks samples.
        DataError: a correction names a sample or a class that the run does not have.
    """
    _check(config)
    where = (config.tracking.uri, config.tracking.experiment)
    config = replace(
        config, corrections=resolved(config.corrections, *where), ids=resolved(config.ids, *where)
    )
    wanted = conditions.parse(config.where) if config.where else []
    store, source = open_store_and_run(config)
    definition = definition_of(source)
    _refuse_task(source, definition, config)
    labeled = definition.has_classes and not definition.unit
    path = schema.SAMPLES_FILE if labeled else schema.ROWS_FILE
    diagnosed = source.has(schema.DIAGNOSIS_FILE)  # else the diagnosis reads the signals, too
    numbers = (schema.SUMMARY_FILE, schema.DIAGNOSIS_FILE) if diagnosed else (schema.PACK_FILE,)
    source.fetch(*{path, schema.SAMPLES_FILE}, *numbers)
    texts = source.artifacts.find(path)
    if texts is None:
        raise _no_texts(source, path)
    samples = _samples(source, config, score, {one.name for one in wanted})
    with reporting("choosing samples"):
        file, lineage = _chosen(source, definition, config, samples, wanted, texts)
    return _log(store, source, definition, config, file, lineage)


def _chosen(source, definition, config, samples, wanted, texts):
    """Return (the new training file, what it is made from), by the rule, the conditions and people's decisions."""
    rule = _ruled(source, definition, samples, config)
    admitted = conditions.matching_rows(samples, wanted)
    labels, lineage = corrections.collect_corrections(source, samples, config)
    choice = curation.apply_decisions(rule._replace(kept=rule.kept & admitted), samples, labels)
    if config.ids is not None:
        given = selections.given_ids("ids", config.ids, config.tracking.uri)
        in_units = bool(definition.unit)
        known = units.split(samples["id"])[0].to_pylist() if in_units else samples["id"]
        named = dataset.select_by_id("ids", given, known, f"run {source.run_id}", in_units)
        choice, admitted = choice._replace(kept=choice.kept & named), admitted & named
    # What the user names in this command is a decision too: no care for classes brings others back.
    choice = choice._replace(decided=choice.decided | ~admitted)
    if definition.unit:
        return curated_units.curated(source, samples, choice, _levers(config)), lineage
    if definition.has_classes:
        return _labeled(source, config, samples, choice, texts), lineage
    return curated_files.rows_file(source, samples, choice.kept, texts, _levers(config)), lineage


def _ruled(source, definition, samples, config):
    """Return what the rule chooses; a sample of several units is ambiguous, easy or wrong as its worst unit is."""
    rule, by_share = curation.RULES[config.keep], config.keep == "clean" and config.share is not None
    if not definition.unit or not (by_share or config.keep in BY_SAMPLE):
        return rule(samples, _count(source, definition, samples, config))
    _, groups, _ = units.grouped(samples["id"])
    worst = units.worst_rows(samples["rank" if by_share else "avg_probs"].to_numpy(), groups)
    of_samples = samples.iloc[worst].reset_index(drop=True)
    if by_share:
        of_samples["rank"] = of_samples["rank"].rank() - 1
    kept = rule(of_samples, _count(source, definition, of_samples, config)).kept
    return curation.everything(samples, 0)._replace(kept=kept[groups])


def _no_texts(source, path):
    """Return the error for a run without texts; raise another one if its store's folder was moved."""
    signals_of(source)
    return TrackingError(
        f"run {source.run_id} has no texts ({path}) to make a training file of: "
        "train without log_text=false, import with texts=, or record with samples="
    )


def _refuse_task(source, definition, config):
    """Raise ConfigError for what a task without classes, or of several units per sample, cannot do."""
    given = [f"{key}=true" for key in ("balance", "drop_classes") if getattr(config, key)]
    if definition.unit:
        why = ", whose samples are kept or dropped as a whole, whatever their classes; leave it out"
    else:
        given += ["keep=relabelled"] if config.keep == "relabelled" else []
        rules = ", ".join(rule for rule in curation.RULES if rule != "relabelled")
        why = f" and has no classes; choose keep={rules}"
    if given and (definition.unit or not definition.has_classes):
        raise ConfigError(f"{given[0]}: run {source.run_id} is of {definition.task.value}{why}")


def _labeled(source, config, samples, choice, texts):
    """Return the curated file of labeled texts, after care for each class."""
    choice = _sparing(samples, choice, config)
    if config.balance:
        choice = _balanced(choice)
    choice, gone = _without_lone(samples, choice, config)
    _say_expected(source, samples, choice)
    return curated_files.labeled_file(source, config, samples, choice, texts, gone)


def _check(config):
    """Raise ConfigError for options that the rule does not use, rather than ignore them silently."""
    for key, rules in (("share", BY_SHARE), ("threshold", BY_SCORE), ("corrections", ("corrected",))):
        if getattr(config, key) is not None and config.keep not in rules:
            raise ConfigError(f"{key}: keep={config.keep} does not use it (only {', '.join(rules)})")
    if config.share is not None and config.threshold is not None:
        raise ConfigError("share and threshold: give one of them")
    if config.keep == "matching" and not config.where and config.ids is None:
        raise ConfigError('keep=matching: give where=, such as where="correct_times > 0", or ids=')


def _sparing(samples, choice, config):
    """Return a choice that keeps every class, and at least half of it where the estimate alone decides.

    Print a note that names the classes whose samples this keeps.
    """
    if config.drop_classes or config.keep == "corrected":
        return choice
    by_score = config.keep in BY_SCORE
    order = -samples["rank"].to_numpy(float) if by_score else choice.order
    share = HALF if by_score and config.share is None and config.threshold is None else 0
    choice, spared = curation.keep_every_class(choice, samples["label"].to_numpy(object), order, share)
    if spared:
        say(
            "note: the rule would leave too few samples of class {classes}, so {samples} of each stay, the least "
            "suspicious (drop_classes=true drops them)",
            classes=first_few(spared),
            samples=translate("half of the samples" if share else "two samples"),
        )
    return choice


def _balanced(choice):
    """Return a choice with as many samples of each class; print a note where people's decisions keep more of one."""
    choice = curation.balance_classes(choice)
    counts = pd.Series(choice.labels[choice.kept]).value_counts()
    if counts.nunique() > 1:
        larger = counts.index[counts > counts.min()]
        stays = "note: class {classes} stays larger because reviewers kept its samples"
        say(stays, classes=first_few(sorted(larger)))
    return choice


def _without_lone(samples, choice, config):
    """Return the choice without classes that have a single sample left, and the names of all classes that are gone.

    Raises:
        ConfigError: nothing is left to train on.
    """
    choice, lone = curation.drop_lone_samples(choice)
    left = sorted(set(choice.labels[choice.kept]))
    gone = sorted(set(samples["label"]) - set(left))
    if len(left) < 2:
        what = f"samples of class {left[0]} only" if left else "no sample"
        raise ConfigError(f"the rule leaves {what}; a classifier needs two classes: change {_levers(config)}")
    if gone:
        none = "note: no sample is left of class {classes}"
        with_lone = "note: no sample is left of class {classes}: one of {lone} was left, too few to train on"
        say(with_lone if lone else none, classes=first_few(gone), lone=first_few(lone))
    return choice, gone


def _levers(config):
    """Return the keys that decide how many samples this rule keeps, for messages."""
    by_rule = {"share": config.keep in BY_SHARE, "threshold": config.keep in BY_SCORE}
    given = {key: getattr(config, key) is not None for key in ("where", "ids", "corrections")}
    return " or ".join(["keep=", *(f"{key}=" for key, decides in (by_rule | given).items() if decides)])


def _say_expected(source, samples, choice):
    """Print how many labels are expected to be right before and after relabeling, by the scores as probabilities."""
    changed = choice.kept & ~choice.decided & (choice.labels != samples["label"].to_numpy(object))
    if not changed.any():
        return
    if not stored_diagnosis.is_probable(samples["evidence"].unique()):
        say("note: it is unknown whether relabeling makes more labels right in this run; check the new file")
        return
    low = source.metrics().get("mislabelled/low", 0)
    found = relabeling.expected_right(samples["score"].to_numpy(float), changed, low)
    more = (
        "expected from the scores: {before:,.0f} of {count:,} labels are right before relabeling, and {low:,.0f} to "
        "{high:,.0f} afterwards"
    )
    say(more, count=len(samples), **found._asdict())


def _samples(source, config, score, further):
    """Return the summary and the diagnosis of the run's samples as one DataFrame, in the summary's order.

    Diagnose the run first where it has no diagnosis. The column `rank` is a sample's place in the diagnosis, 0 = most
    likely wrong. `further` are columns of the summary to read besides those of the rules.
    """
    columns, _ = ensure_summary(source, config.diagnose, COLUMNS | further - {"score", "rank"})
    ensure_diagnosis(source, replace(config.diagnose, tracking=config.tracking))
    stored_diagnosis.check_score(source, score)
    if stored_diagnosis.is_outdated(source):
        command = stored_diagnosis.diagnose_command(source)
        say("note: the summary is newer than the diagnosis; regenerate it: {command}", command=command)
    with source.artifacts.local(schema.DIAGNOSIS_FILE) as file:
        found = stored_diagnosis.frame_of(file, OF_DIAGNOSIS)  # its texts and reasons are most of it
    rows = align.rows(columns["id"], found.pop("id"))
    missing = (rows < 0).sum()
    if missing:
        raise TrackingError(
            f"run {source.run_id}: {schema.DIAGNOSIS_FILE} lacks {counted(missing, 'sample')}; "
            f"regenerate it: {source.command('diagnose')}"
        )
    return columns.assign(rank=rows, **{name: found[name].to_numpy()[rows] for name in found})


def _count(source, definition, samples, config):
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
        if not definition.has_classes:
            raise ConfigError(
                f"keep={config.keep}: run {source.run_id} has no classes, so the number of wrong samples is unknown; "
                "give share= or threshold="
            )
        found, number = source.metrics(), COUNTS[config.keep]
        if number not in found:
            raise TrackingError(
                f"run {source.run_id} has a diagnosis, but not its metrics; diagnose it again: "
                f"{source.command('diagnose')}, or give share= or threshold="
            )
        if not found.get("mislabelled/known", 1):
            raise ConfigError(
                f"keep={config.keep}: the number of wrong labels in run {source.run_id} cannot be estimated "
                "(datamap diagnose explains why); give share= or threshold="
            )
        if config.keep == "relabelled" and not found[number]:
            raise ConfigError(
                f"keep=relabelled: no proposal of run {source.run_id} is certain enough to be applied without review; "
                f"review them ({source.command('review')}), or give share= or threshold="
            )
        if config.keep == "clean" and definition.unit:
            # A sample is dropped with all its units, most of which are right.
            return min(int(found[number]), int((samples["score"] > MIN_DROPPED).sum()))
        return int(found[number])
    return round(len(samples) / 3)


def _log(store, source, definition, config, file, lineage):
    """Log a file, its source and its rule into a new run below the source run, and return the new run."""
    name = config.tracking.run_name or f"{config.keep} {source.info.run_name}"
    rule = {key: getattr(config, key) for key in RULE_KEYS}
    if config.ids is not None:
        rule["ids"] = config.ids if isinstance(config.ids, str) else f"{len(config.ids)} given"
    with store.new_run(name, config.tracking.tags) as run, logged_together(run):
        address = f"runs:/{run.run_id}/{file.name}"
        command = file.command(address)
        reviewed = {REVIEWED_TAG: lineage["reviewers"]} if lineage else {}
        run.set_tags({schema.CURATED_FROM_TAG: source.run_id, PARENT_TAG: source.run_id, **reviewed})
        if not definition.has_classes or definition.unit:
            run.log_task(source.task())
        run.log_params(
            {
                "source_run": source.run_id,
                **{key: value for key, value in rule.items() if value is not None and value is not False},
                **lineage,
            }
        )
        run.log_config("curate", to_yaml(config))
        run.log_bytes(file.content, file.name)
        run.log_dataset(file.frame, "curated", address, file.digest, "curated")
        # MLflow's charts order sections by name: `training_file` comes after `maps`.
        run.log_metrics({f"training_file/{name}": value for name, value in file.counts.items()}, 0)
        run.lang = source.lang
        run.describe(
            descriptions.describe_curated(
                source.info.run_name,
                source.link_to(),
                config.keep,
                file.counts,
                file.name,
                command,
                run.language,
            )
        )
    say("run {run}  ({address})", run=run.run_id, address=run.address)
    say("next: {command}", command=command)
    return run
