"""Rank a run's samples by how likely their label is wrong, and log the list into the run.

datamap diagnose run_id=latest                    the score that finds most, of all that the run knows
datamap diagnose run_id=latest score=aum          another score
datamap diagnose run_id=latest regions=quantile   regions by quantiles instead of fixed borders
"""

import numpy as np
import pyarrow as pa

from datamap import schema
from datamap.commands.config import DiagnoseConfig, yaml
from datamap.commands.inputs import extra_signals_of, observed_as_summarized, summary_of
from datamap.data import spreadsheet
from datamap.errors import ConfigError
from datamap.labels import diagnosis, mislabel
from datamap.log import say
from datamap.maps import regions
from datamap.program import invocation
from datamap.signals import class_probs, shards
from datamap.signals.observations import Observations
from datamap.summaries import tsv
from datamap.tracking import descriptions
from datamap.tracking.run import Run
from datamap.tracking.store import Store

COLUMNS = {
    "id", "label", "s_label", "avg_probs", "label_var", "correct_times", "forgetting_times", "margin_mean"
}  # fmt: skip
SHOWN = 5  # rows on the terminal
LEARNT = 0.1  # of what the commonest class leaves open, below which a model is no judge


def run(config: DiagnoseConfig, overrides: list[str]) -> None:
    """Diagnose a run."""
    diagnose(config)


def diagnose(config: DiagnoseConfig) -> Run:
    """Score a run's samples and log `diagnosis.tsv` and its metrics; returns the run."""
    store = Store(config.tracking.uri, config.tracking.experiment)
    run = store.run(config.run_id)
    store.nest_project_run(run, "diagnose")
    diagnose_run(run, config)
    return run


def diagnose_run(run, config, next_step=True):
    """The same for a run that was looked up; `next_step` tells what to do with the diagnosis."""
    samples, _ = summary_of(run, config, COLUMNS)
    evidence = _evidence(run, samples, config.score)
    scores = mislabel.SCORES[config.score](evidence)
    about = mislabel.estimate(evidence)
    content = run.artifacts.find(schema.SAMPLES_FILE)
    frame = diagnosis.table(
        samples,
        evidence,
        scores,
        regions.of(samples, _limits(config.regions, samples)),
        _class_names(run, evidence),
        tsv.texts_of(content, samples["id"].tolist()) if content and config.texts else {},
        config.lang,
    )
    measured = _measured(samples["s_label"].to_numpy(), scores)
    run.log_config("diagnose", yaml(config))
    run.log_bytes(b"".join(tsv.lines(spreadsheet.guarded(frame))), schema.DIAGNOSIS_FILE)
    metrics = {f"mislabelled/{name}": float(value) for name, value in {**about._asdict(), **measured}.items()}
    run.log_metrics(metrics, max(run.committed()))
    run.describe(descriptions.of_run(len(samples), run.metrics()))
    _warn(evidence)
    _say(run, frame, about, measured)
    if next_step and content:
        say(f"next: {invocation('curate', f'run_id={run.run_id}', 'keep=clean')}")


def _class_names(run, evidence):
    """Class names by index; a class without a name has its index."""
    names = run.class_names()
    known = 0 if evidence.probs is None else evidence.probs.shape[1]
    count = max(known, int(evidence.labels.max()) + 1)
    return names + tuple(str(k) for k in range(len(names), count))


def _warn(evidence):
    """Say so where the models learnt too little to contradict anybody."""
    total = len(evidence.labels)
    right, common = 1 - evidence.wrong[-1] / total, np.bincount(evidence.labels).max() / total
    enough = common + LEARNT * (1 - common)
    if evidence.held_out is not None:
        unseen = (evidence.held_out.argmax(axis=1) == evidence.labels).mean()
        if unseen < enough <= right:
            say(
                f"note: models that never saw the samples are right in {unseen:.0%} of them, where the commonest class "
                f"has {common:.0%}: they tell little (more data, more epochs, more data.folds)"
            )
    if right < enough:
        say(
            f"note: after the last observation the model is right in {right:.0%} of the samples, where the "
            f"commonest class has {common:.0%}: it learnt too little to tell wrong labels (train longer, or with "
            "another learning rate)"
        )


def _evidence(run, samples, score):
    """`mislabel.Evidence` of the run's samples, in the order of its summary."""
    whole, allow_missing = observed_as_summarized(run)
    ids = pa.array(samples["id"])
    inside = class_probs.read(run.artifacts, whole, allow_missing).ordered(ids, schema.SIGNALS_DIR)
    held_out = extra_signals_of(run, schema.HOLDOUT_DIR)
    threshold = extra_signals_of(run, schema.THRESHOLD_DIR) if score == "aum" else None
    return mislabel.Evidence(
        labels=samples["label"].to_numpy(),
        wrong=inside.wrong,
        avg_probs=samples["avg_probs"].to_numpy(),
        correct_times=samples["correct_times"].to_numpy(),
        forgetting_times=samples["forgetting_times"].to_numpy(),
        margin_mean=samples["margin_mean"].to_numpy() if "margin_mean" in samples else None,
        probs=inside.probs,
        pooled=inside.pooled,
        held_out=_held_out(run, held_out, ids) if held_out else None,
        threshold_margins=_margins(run, threshold) if threshold else None,
    )


def _held_out(run, whole, ids):
    return class_probs.read(run.artifacts, whole).ordered(ids, schema.HOLDOUT_DIR).probs


def _margins(run, whole):
    """Mean margins of the threshold samples."""
    tables = ((number, shards.read(run.artifacts, parts)) for number, parts in whole.items())
    return Observations.from_tables(tables).further["margin"].mean(axis=0)


def _limits(options, samples):
    limits = regions.Limits(options.variance, options.confidence, options.noisy)
    if options.by == "absolute":
        return limits
    if limits.variance > 1:
        raise ConfigError(f"regions.variance={limits.variance}: a quantile is in 0 to 1")
    return regions.limits_at(samples, limits)


def _measured(s_label, scores):
    """How well the scores find the planted dirty samples; {} where none are known."""
    dirty = s_label == schema.DIRTY
    if not 0 < dirty.sum() < len(dirty):
        return {}
    from sklearn.metrics import average_precision_score, roc_auc_score

    return {
        "auroc": roc_auc_score(dirty, scores),
        "average_precision": average_precision_score(dirty, scores),
        "precision_at_true_number": mislabel.precision_at(scores, dirty, dirty.sum()),
    }


def _say(run, frame, about, measured):
    say(
        f"{schema.DIAGNOSIS_FILE}: {len(frame):,} samples, likeliest wrong first, logged into run {run.run_id}"
    )
    say(f"  about {about.estimate:,} labels are wrong ({about.low:,} to {about.high:,})")
    counts = frame["region"].value_counts()
    say("  " + ", ".join(f"{name} {counts.get(name, 0):,}" for name in diagnosis.REGIONS))
    for row in frame.head(SHOWN).to_dict("records"):
        texts = " / ".join(" ".join(row[name].split()) for name in ("text_a", "text_b") if name in row)
        say(f"  {row['score']:.3f}  {row['label']} → {row['proposed'] or '?'}  {row['id']}  {texts}".rstrip())
    if measured:
        found = ", ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in measured.items())
        say(f"  planted dirty samples: {found}")
