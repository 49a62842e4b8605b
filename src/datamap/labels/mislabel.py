"""Which labels are wrong? A score in [0, 1] for each sample, one pure function per score."""

from typing import NamedTuple

import numpy as np

from datamap.errors import SignalError
from datamap.labels.pool import Pool, pooled
from datamap.signals.compute import of_label

RUN = "run"  # the run's own model, as a witness
# The opinion foretells given labels, wrong ones among them: it is less sure of the right ones than it could be.
SHARPNESS = 2
QUOTED = 0.05  # weight from which on a witness is quoted
MAX_RUN_WEIGHT = 0.5  # weight of the run, which has seen the labels, beside models that have not
MAX_TRUSTED_WEIGHT = 1.0  # the same where it is `trusted`, or stands beside folds alone


class Evidence(NamedTuple):
    """What is known of N samples, from T observations of C classes.

    `labels` are the given labels, int64 (N,). `avg_probs`, `margin_mean`, `correct_times` and
    `forgetting_times` are columns of the summary, (N,). `pooled` is the geometric mean over observations of the
    predicted distribution, float (N, C), `early` that of the ones that are `memorisation.informative`. Of models
    that never saw the sample are `held_out`, the mean over the folds' observations, and `texts`, {witness: (N, C)},
    what `witnesses.unseen` gives. `trusted`: to its end the run contradicts labels that are likely wrong.
    `wrong` is how many samples were predicted wrong at each observation, int (T,).
    `threshold_margins` are the mean margins of threshold samples, (M,). `opinion` is what `with_opinion` makes of all
    that. None = not known.
    """

    labels: np.ndarray
    wrong: np.ndarray
    avg_probs: np.ndarray
    correct_times: np.ndarray
    forgetting_times: np.ndarray
    margin_mean: np.ndarray | None = None
    pooled: np.ndarray | None = None
    early: np.ndarray | None = None
    held_out: np.ndarray | None = None
    texts: dict | None = None
    trusted: bool = False
    threshold_margins: np.ndarray | None = None
    opinion: Pool | None = None

    @property
    def unseen(self) -> dict[str, np.ndarray]:
        """{witness: (N, C)} of the models that never saw the sample's label."""
        folds = {} if self.held_out is None else {"folds": self.held_out}
        return {**(self.texts or {}), **folds}


def with_opinion(evidence: Evidence) -> Evidence:
    """The evidence with its `opinion`, the `Pool` of what is known of each sample's class; None without any.

    The witnesses that never saw the sample are weighed by how well they foretell the given labels (`pool.pooled`).
    The run itself has seen them all, and its late observations know them by heart: only early ones count, and no more
    than half of what they say, or all of it where the run is `trusted` or stands beside folds alone. A run without
    other witnesses is its own: its geometric mean, in which one sure "no" counts much, as in AUM.
    """
    unseen = evidence.unseen
    if not unseen:
        alone = evidence.pooled
        return evidence._replace(
            opinion=None if alone is None else Pool(np.asarray(alone, np.float64), {RUN: 1.0})
        )
    if evidence.early is not None:
        unseen[RUN] = evidence.early
    most = MAX_TRUSTED_WEIGHT if evidence.trusted or not evidence.texts else MAX_RUN_WEIGHT
    return evidence._replace(opinion=pooled(unseen, evidence.labels, {RUN: most}))


def judges(evidence: Evidence) -> dict[str, tuple[float, float]]:
    """{witness: (share of the samples in which it is right, none of which it has seen; its weight)}."""
    weights = evidence.opinion.weights if evidence.opinion else {}
    return {
        name: (float((probs.argmax(axis=1) == evidence.labels).mean()), weights[name])
        for name, probs in evidence.unseen.items()
    }


def quoted(evidence: Evidence) -> set[str]:
    """Return the witnesses that are quoted: those that have weight in the opinion and tell more than chance."""
    witnesses = {**evidence.unseen, **({} if evidence.pooled is None else {RUN: evidence.pooled})}
    weights = evidence.opinion.weights if evidence.opinion else {}
    return {
        name
        for name, probs in witnesses.items()
        if weights.get(name, 0) >= QUOTED and beats_chance(probs, evidence.labels)
    }


def beats_chance(probs: np.ndarray, labels: np.ndarray) -> bool:
    """Return whether distributions tell anything of the labels.

    They do where they give the given labels more probability than they would give shuffled ones, by more than three
    standard errors. This holds however sure they are, and however rare a class is.

    Args:
        probs: (N, C), rows sum to 1.
        labels: int (N,).
    """
    frequencies = np.bincount(labels, minlength=probs.shape[1]) / len(labels)
    excess = of_label(probs, labels) - probs @ frequencies
    return bool(excess.mean() > 3 * excess.std() / np.sqrt(len(labels)))


def combined(evidence: Evidence) -> np.ndarray:
    """1 - probability of the given label in the `opinion` of all witnesses, each weighed by what it foretells.

    The opinion is made a bit surer, p^`SHARPNESS` scaled to sum to 1: of many classes one that is likely instead then
    counts more than several that might be; with two classes the order stays as it is. Ours; chosen by
    benchmarks/detect.py. Where no probabilities of all classes are known it is `confidence`.
    """
    if evidence.opinion is None:
        return confidence(evidence)
    sharp = evidence.opinion.probs**SHARPNESS
    return 1 - of_label(sharp, evidence.labels) / sharp.sum(axis=1)


def confidence(evidence: Evidence) -> np.ndarray:
    """1 − avg_probs: low confidence (Swayamdipta et al. 2020, sec. 5)."""
    return 1 - evidence.avg_probs


def aum(evidence: Evidence) -> np.ndarray:
    """Area under the margin (Pleiss et al. 2020, eq. 1), turned into 1 / (1 + exp(AUM − threshold)).

    The threshold is the 99th percentile of the threshold samples' (sec. 3); 0 where there are none. The paper
    takes both from the same two trainings with the extra class; here the samples' margins come from the run's own
    training, which has all its samples, and only the threshold from the other one (`passes.threshold`).

    Raises:
        SignalError: margins are not known, as the probabilities of all classes were not recorded.
    """
    if evidence.margin_mean is None:
        raise SignalError("score=aum needs the probabilities of all classes (probs), which this run lacks")
    margins = evidence.threshold_margins
    threshold = 0 if margins is None else np.quantile(margins, 0.99)
    return 1 / (1 + np.exp(np.clip(evidence.margin_mean - threshold, -500, 500)))


def forgetting(evidence: Evidence) -> np.ndarray:
    """1 where never learnt, which counts as forgotten for ever (Toneva et al. 2019, sec. 3); below it the more
    often forgotten: forgetting events over one more than the most that there can be.
    """
    most = len(evidence.wrong) // 2
    return np.where(evidence.correct_times == 0, 1.0, evidence.forgetting_times / (most + 1))


def confident_learning(evidence: Evidence) -> np.ndarray:
    """1 − cleanlab's label quality (self-confidence; Northcutt et al. 2021) in what models said of unseen samples.

    Not class-adjusted: that takes off what weak models are usually sure of, which hides wrong labels in rare classes.

    Raises:
        SignalError: the run has no folds.
    """
    if evidence.held_out is None:
        raise SignalError(
            "score=confident_learning needs what models say of samples that they never saw, of all folds; "
            "train with data.folds=5"
        )
    return _self_confidence(evidence.held_out, evidence)


def linear(evidence: Evidence) -> np.ndarray:
    """The same of a held-out linear model on n-grams of characters."""
    return _self_confidence(_of_texts(evidence, "linear"), evidence)


def bigrams(evidence: Evidence) -> np.ndarray:
    """The same of one on 1- and 2-grams, less smooth."""
    return _self_confidence(_of_texts(evidence, "bigrams"), evidence)


def neighbours(evidence: Evidence) -> np.ndarray:
    """The same of the labels of the nearest other texts (SimiFeat, Zhu et al. 2022); single texts only."""
    return _self_confidence(_of_texts(evidence, "neighbours"), evidence)


def overlap(evidence: Evidence) -> np.ndarray:
    """The same of held-out boosted trees on what both texts of a pair share; pairs only."""
    return _self_confidence(_of_texts(evidence, "overlap"), evidence)


def _self_confidence(probs, evidence):
    from cleanlab.rank import get_label_quality_scores

    return 1 - get_label_quality_scores(evidence.labels, np.asarray(probs, np.float64))


def _of_texts(evidence, name):
    found = evidence.texts or {}
    if name not in found:
        raise SignalError(
            f"score={name} needs {'text pairs' if name == 'overlap' else 'texts'} in the run, "
            f"which can tell {', '.join(found) or 'nothing'} (train without log_text=false, record with samples=)"
        )
    return found[name]


# Name → score of each sample, float (N,) in [0, 1]: the higher, the likelier the label is wrong.
SCORES = {
    "combined": combined,
    "confidence": confidence,
    "aum": aum,
    "forgetting": forgetting,
    "confident_learning": confident_learning,
    "linear": linear,
    "bigrams": bigrams,
    "neighbours": neighbours,
    "overlap": overlap,
}


def precision_at(scores: np.ndarray, positive: np.ndarray, count: int) -> float:
    """Share of positive samples among the `count` of highest score; ties by their order."""
    return float(positive[np.argsort(-scores, kind="stable")[:count]].mean())
