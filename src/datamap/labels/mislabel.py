"""Score how likely each label is wrong, in [0, 1], one pure function per score."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from datamap.errors import SignalError
from datamap.labels import error_rate
from datamap.labels.balance import balance_errors
from datamap.labels.blocks import by_rows
from datamap.labels.error_rate import ErrorRate
from datamap.labels.pool import Pool, pool_witnesses
from datamap.labels.posterior import RunWeights, infer, trust_in_run
from datamap.signals.compute import label_values

RUN = "run"  # name of the run's own model as a witness
# Quick model of texts, embeddings or tokens → what the column `why` says of its prediction.
WITNESSES = {
    "linear": "; its characters suggest {name} ({p})",
    "bigrams": "; its characters suggest {name} ({p})",
    "words": "; its words suggest {name} ({p})",
    "neighbours": "; similar texts suggest {name} ({p})",
    "overlap": "; the overlap of both texts suggests {name} ({p})",
    "embeddings": "; similar embeddings suggest {name} ({p})",
    "window": "; the tokens around it suggest {name} ({p})",
    "sequence": "; the whole sentence suggests {name} ({p})",
    "lexicon": "; the same token elsewhere suggests {name} ({p})",
}
MIN_QUOTED_WEIGHT = 0.05  # weight in the opinion from which on a witness is quoted


class Evidence(NamedTuple):
    """Hold the evidence about N samples, from T observations of C classes; None means unknown.

    Attributes:
        labels: int64 (N,), the given labels.
        wrong: int (T,), the number of samples that each observation predicted wrong.
        avg_probs: float (N,), a column of the summary, like the next three.
        correct_times: int (N,).
        forgetting_times: int (N,).
        margin_mean: float (N,).
        mean: float (N, C), the run's predicted distributions, mean over all observations.
        held_out: float (N, C), the mean prediction of models that were trained on other folds.
        witnesses: {witness: float (N, C)}, predictions of quick models of the texts (`witnesses.predict_unseen`) and of
            the embeddings (`embedding_witness.predict`).
        threshold_margins: float (M,), the mean margins of the threshold samples.
        columns: int (N,), for units: equal numbers mark units with the same class frequencies (`posterior.infer`).
        pool: the witnesses' pooled predictions (`with_posterior`, like the next three).
        errors: the share of labels that are wrong at random (`error_rate.fit`); None for units.
        run_weights: how much the run's own predictions count as evidence.
        posterior: float (N, C), the distribution of each sample's true class.
    """

    labels: np.ndarray
    wrong: np.ndarray
    avg_probs: np.ndarray
    correct_times: np.ndarray
    forgetting_times: np.ndarray
    margin_mean: np.ndarray | None = None
    mean: np.ndarray | None = None
    held_out: np.ndarray | None = None
    witnesses: dict | None = None
    threshold_margins: np.ndarray | None = None
    columns: np.ndarray | None = None
    pool: Pool | None = None
    errors: ErrorRate | None = None
    run_weights: RunWeights | None = None
    posterior: np.ndarray | None = None

    @classmethod
    def of_summary(cls, samples: pd.DataFrame, wrong: np.ndarray, **known: Any) -> "Evidence":
        """Return the evidence of a summary's columns, of `wrong`, and of what else is `known`."""
        names = ("avg_probs", "correct_times", "forgetting_times", "margin_mean")
        columns = {name: samples[name].to_numpy() for name in names if name in samples}
        return cls(samples["label"].to_numpy(), wrong, **columns, **known)

    @property
    def unseen(self) -> dict[str, np.ndarray]:
        """Return {witness: (N, C)} of the models that never saw a sample's label."""
        folds = {} if self.held_out is None else {"folds": self.held_out}
        return {**(self.witnesses or {}), **folds}


def with_posterior(evidence: Evidence) -> Evidence:
    """Return the evidence with the distribution of each sample's true class, and how much each witness counts for it.

    The witnesses never saw the label. They are weighed by how well they predict the given labels
    (`pool.pool_witnesses`). The run has seen it, and counts as far as its predictions add to the label itself
    (`posterior.infer`), little of which remains if it repeats the labels that the witnesses most confidently contradict
    (`trust_in_run`). Of units, each kind of error becomes as frequent as the witnesses' most confident predictions say
    (`balance.balance_errors`). Without witnesses, or where all of them together are at chance, the posterior is the
    run's mean prediction, and None if the probabilities of all classes are unknown.
    """
    if not evidence.unseen:
        return evidence._replace(posterior=evidence.mean)
    # Matrices have as many columns as there are classes: on them threads mostly wait for each other.
    with threadpool_limits(1, "blas"):
        return _judged(evidence)


def _judged(evidence):
    """Return the evidence with the posterior that its witnesses give."""
    pool = pool_witnesses(evidence.unseen, evidence.labels)
    if not beats_chance(pool.probs, evidence.labels):
        return evidence._replace(pool=pool, posterior=evidence.mean)
    mean, classes = evidence.mean, pool.probs.shape[1]
    if mean is None:
        mean = by_rows(
            lambda probs, labels: _spread(probs, labels, classes), evidence.avg_probs, evidence.labels
        )
    if evidence.columns is None:
        errors = error_rate.fit(pool.probs, evidence.labels)
        trust = trust_in_run(pool.probs, evidence.labels, mean, errors.share)
        posterior, weights = infer(pool.probs, evidence.labels, mean, trust=trust, slope=errors.slope)
    else:
        errors, (posterior, weights) = None, infer(pool.probs, evidence.labels, mean, evidence.columns)
        posterior = balance_errors(posterior, pool.probs, evidence.labels, evidence.columns)
    return evidence._replace(pool=pool, errors=errors, run_weights=weights, posterior=posterior)


def _spread(avg_probs, labels, classes):
    """Return distributions (N, C) with the given label's probability; the other classes share the rest evenly."""
    rest = (1 - avg_probs) / max(1, classes - 1)
    mean = np.repeat(np.asarray(rest, np.float64)[:, None], classes, axis=1)
    mean[np.arange(len(labels)), labels] = avg_probs
    return mean


def witness_accuracies(evidence: Evidence) -> dict[str, tuple[float, float]]:
    """Return {witness: (its accuracy on the given labels, none of which it has seen; its weight in the pool)}."""
    weights = evidence.pool.weights if evidence.pool else {}
    return {
        name: (float((probs.argmax(axis=1) == evidence.labels).mean()), weights[name])
        for name, probs in evidence.unseen.items()
    }


def quotable_witnesses(evidence: Evidence) -> set[str]:
    """Return the witnesses to quote in explanations, the run among them: those with some weight that beat chance."""
    witnesses, weights = dict(evidence.unseen), dict(evidence.pool.weights) if evidence.pool else {}
    if evidence.mean is not None:
        witnesses[RUN] = evidence.mean
        weights[RUN] = evidence.run_weights.confidence if evidence.run_weights else 1.0
    return {
        name
        for name, probs in witnesses.items()
        if weights.get(name, 0) >= MIN_QUOTED_WEIGHT and beats_chance(probs, evidence.labels)
    }


def beats_chance(probs: np.ndarray, labels: np.ndarray) -> bool:
    """Tell whether distributions carry information about the labels.

    They do if they give the given labels more probability than they would give shuffled labels, by more than three
    standard errors. Unlike accuracy, this works at any level of confidence and for rare classes.

    Args:
        probs: (N, C), rows sum to 1.
        labels: int (N,), the given labels.

    >>> labels = np.array([0, 1] * 50)
    >>> beats_chance(np.eye(2)[labels], labels), beats_chance(np.full((100, 2), 0.5), labels)
    (True, False)
    """
    frequencies = np.bincount(labels, minlength=probs.shape[1]) / len(labels)
    excess = label_values(probs, labels) - probs @ frequencies
    return bool(excess.mean() > 3 * excess.std() / np.sqrt(len(labels)))


def combined(evidence: Evidence) -> np.ndarray:
    """Score by all evidence: 1 − p(y | x), with the posterior p of the true class and the given label y.

    This score is ours (`posterior.infer`); benchmarks/detect.py compares it with the others. Without witnesses, or with
    none that beats chance, it is `aum`, and `confidence` if the probabilities of all classes are unknown, too.

    >>> nothing, true_class = np.zeros(2), np.array([[0.9, 0.1], [0.8, 0.2]])
    >>> combined(Evidence(np.array([0, 1]), nothing, nothing, nothing, nothing, posterior=true_class)).round(2)
    array([0.1, 0.8])
    """
    if evidence.run_weights is None and evidence.margin_mean is not None:
        return _of_margin(evidence.margin_mean)
    if evidence.posterior is None:
        return confidence(evidence)
    return 1 - label_values(evidence.posterior, evidence.labels)


def calibrate(scores: np.ndarray, total: float) -> np.ndarray:
    """Turn scores of `combined` into probabilities that the label is wrong, whose sum is the number of wrong labels.

    The logit of each score is shifted by the same amount, which keeps the order. The posterior overestimates wrong
    labels everywhere, because it mistakes hard samples for wrong ones, but it ranks samples well: once the
    sum is right, so is each probability (docs/detection.md has the measurement).

    Args:
        scores: float (N,) in [0, 1].
        total: the number of wrong labels, 0 to N.

    >>> calibrate(np.array([0.9, 0.5, 0.5, 0.1]), 1.0).round(2).tolist()
    [0.64, 0.17, 0.17, 0.02]
    """
    from scipy.optimize import brentq
    from scipy.special import expit, logit

    logits = logit(np.clip(scores, 1e-9, 1 - 1e-9))
    wanted = min(max(total, 0.5), len(scores) - 0.5)
    return expit(logits + brentq(lambda shift: expit(logits + shift).sum() - wanted, -50, 50))


def proposals(evidence: Evidence, probabilities: np.ndarray | None) -> np.ndarray:
    """Return the label to propose for each sample, int (N,): the most likely other class; the given one = none.

    It is proposed where it is more likely than the given label. With the calibrated probability P that the given label
    is wrong and the posterior p, class c has the probability P · p(c) / Σ_{k≠y} p(k); where P cannot be known, p(c).

    Args:
        evidence: what is known (`with_posterior`).
        probabilities: float (N,), `calibrate` scores; None if they cannot be known.

    >>> nothing, true_class = np.zeros(2), np.array([[0.9, 0.1], [0.8, 0.2]])
    >>> proposals(Evidence(np.array([0, 1]), nothing, nothing, nothing, nothing, posterior=true_class), None)
    array([0, 0])
    """
    if evidence.posterior is None:
        return evidence.labels
    known = () if probabilities is None else (probabilities,)
    return by_rows(_proposed, evidence.posterior, evidence.labels, *known)


def _proposed(posterior, labels, probabilities=None):
    others = posterior.copy()
    others[np.arange(len(others)), labels] = 0
    if probabilities is None:
        likelier = others.max(axis=1) > label_values(posterior, labels)
    else:
        share = others.max(axis=1) / others.sum(axis=1).clip(1e-300)
        likelier = probabilities * share > 1 - probabilities
    return np.where(likelier, others.argmax(axis=1), labels)


def confidence(evidence: Evidence) -> np.ndarray:
    """Score by low confidence in the given label: 1 − avg_probs (Swayamdipta et al. 2020, sec. 5).

    Where a label is wrong, samples of the true class teach the model another one, so that the label's probability stays
    low, until the model memorizes it.

    >>> two = Evidence(np.array([0, 1]), np.array([1, 0]), np.array([0.9, 0.2]), np.array([2, 1]), np.array([0, 1]))
    >>> confidence(two)
    array([0.1, 0.8])
    """
    return 1 - evidence.avg_probs


def aum(evidence: Evidence) -> np.ndarray:
    """Score by the area under the margin (AUM; Pleiss et al. 2020), as 1 / (1 + exp(AUM − threshold)).

    AUM is the mean over observations of z_y − max_{c≠y} z_c, with logits z and the given label y (eq. 1). It is low if
    the model, while it learns from other samples of the true class, is pulled away from the given label. To find
    a threshold, the paper trains with some samples moved to an extra class of their own. These labels are certainly
    wrong, and the threshold is the 99th percentile of their AUM (sec. 3). It is 0 if a run has no threshold samples.

    The paper takes all margins from two trainings with the extra class. Here the margins of the samples are from the
    run's own training, and only those of the threshold samples from the other one (`training.extra`).

    Raises:
        SignalError: the run has no margins, as the probabilities of all classes were not recorded.

    >>> nothing = np.zeros(2)
    >>> aum(Evidence(np.array([0, 1]), nothing, nothing, nothing, nothing, margin_mean=np.array([2.0, -1.0]))).round(2)
    array([0.12, 0.73])
    """
    if evidence.margin_mean is None:
        raise SignalError(
            "score=aum needs the probabilities of all classes (probs), which this run lacks; use another score"
        )
    margins = evidence.threshold_margins
    threshold = 0 if margins is None else np.quantile(margins, 0.99)
    return _of_margin(evidence.margin_mean - threshold)


def _of_margin(margins):
    return 1 / (1 + np.exp(np.clip(margins, -500, 500)))


def forgetting(evidence: Evidence) -> np.ndarray:
    """Score by forgetting events: events / (⌊T/2⌋ + 1), and 1 for samples that were never learned.

    A sample can be forgotten ⌊T/2⌋ times in T observations, so only a sample that was never learned scores 1: it counts
    as forgotten infinitely often (Toneva et al. 2019, sec. 3).

    >>> wrong, right, events = np.array([2, 1, 2, 1]), np.array([4, 0, 2]), np.array([0, 0, 2])
    >>> forgetting(Evidence(np.array([0, 1, 1]), wrong, right / 4, right, events)).round(2)
    array([0.  , 1.  , 0.67])
    """
    max_events = len(evidence.wrong) // 2
    return np.where(evidence.correct_times == 0, 1.0, evidence.forgetting_times / (max_events + 1))


def confident_learning(evidence: Evidence) -> np.ndarray:
    """Score by held-out self-confidence: 1 − p(y | x) from models that were trained on other folds.

    This is cleanlab's label quality score (Northcutt et al. 2021). It is not adjusted by class: the adjustment
    subtracts the mean confidence of each class, which hides wrong labels in rare classes if the models are weak.

    Raises:
        SignalError: the run has no folds.

    >>> nothing, seen_by_others = np.zeros(2), np.array([[0.7, 0.3], [0.6, 0.4]])
    >>> confident_learning(Evidence(np.array([0, 1]), nothing, nothing, nothing, nothing, held_out=seen_by_others))
    array([0.3, 0.6])
    """
    if evidence.held_out is None:
        raise SignalError(
            "score=confident_learning needs predictions for all folds, which this run does not have; "
            "train with data.folds=5"
        )
    return _self_confidence(evidence.held_out, evidence)


def _self_confidence(probs, evidence):
    from cleanlab.rank import get_label_quality_scores

    return 1 - get_label_quality_scores(evidence.labels, np.asarray(probs, np.float64))


def witness_score(name: str, evidence: Evidence) -> np.ndarray:
    """Score by the self-confidence of a quick model that never saw the label: 1 − p(y | x).

    Args:
        name: which model.

            - linear: on 1- to 4-grams of characters; bigrams: on 1- and 2-grams, with less regularization.
            - words: on words; for texts that are written with spaces.
            - neighbours: the labels of the nearest other texts (SimiFeat, Zhu et al. 2022); for single texts.
            - overlap: boosted trees on what both texts of a pair share.
            - embeddings: a linear model on the samples' embeddings (`embedding_witness.predict`).
            - window: a linear model on each token and its neighbors.
            - sequence: how well the given tag fits into its sentence (`sequences.smooth_tags`).
            - lexicon: how rarely the same token has the given tag elsewhere.
        evidence: what is known.

    Raises:
        SignalError: the run lacks what the model judges by.

    >>> nothing, linear = np.zeros(2), np.array([[0.7, 0.3], [0.6, 0.4]])
    >>> known = Evidence(np.array([0, 1]), nothing, nothing, nothing, nothing, witnesses={"linear": linear})
    >>> witness_score("linear", known)
    array([0.3, 0.6])
    """
    found = evidence.witnesses or {}
    if name in found:
        return _self_confidence(found[name], evidence)
    if found and name not in NEEDED:
        raise SignalError(
            f"score={name}: this run has no such model; choose {' or '.join(found)} or combined"
        )
    needed, how = NEEDED.get(name, ("texts", "train with log_text=true, or record with samples="))
    raise SignalError(f"score={name} needs {needed} in the run (it has: {', '.join(found) or 'none'}); {how}")


# Score → (what it needs of a run, how to give it), where that is not texts of any kind.
NEEDED = {
    "overlap": ("text pairs", "train with log_text=true, or record with samples="),
    "embeddings": ("embeddings", "give diagnose embeddings=<file> or encoder=<folder>"),
    **dict.fromkeys(
        ("window", "sequence", "lexicon"),
        ("tokens", "train with data.task=tokens, or record with task='tokens' and samples="),
    ),
}
# Name → score of each sample, float (N,) in [0, 1]: the higher, the more likely the label is wrong.
SCORES: dict[str, Callable[[Evidence], np.ndarray]] = {
    "combined": combined,
    "confidence": confidence,
    "aum": aum,
    "forgetting": forgetting,
    "confident_learning": confident_learning,
    **{name: partial(witness_score, name) for name in WITNESSES},
}


def precision_at(scores: np.ndarray, positive: np.ndarray, count: int) -> float:
    """Compute the share of positive samples among the `count` of highest score; ties go by order.

    >>> precision_at(np.array([0.9, 0.1, 0.8]), np.array([True, True, False]), 2)
    0.5
    """
    return float(positive[np.argsort(-scores, kind="stable")[:count]].mean())
