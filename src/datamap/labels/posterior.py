"""Infer each sample's true class from its content, its given label, and the training run's predictions.

Models that never saw a sample's label, the witnesses, are unbiased by it, but may know little. The run itself often
knows more (for example a fine-tuned encoder), but it was trained on the label in question, and may just repeat it. How
much the run counts is therefore measured: by how well its predictions explain the witnesses' predictions for the same
samples, beyond what the given labels already explain. A run that has memorized its labels explains nothing beyond
them, and even a weak witness reveals this, because its errors are independent of wrong labels. Whether it
has memorized them shows where the witnesses are most confident: there it repeats labels that are wrong
(`trust_in_run`).
"""

from typing import NamedTuple

import numpy as np

from datamap.labels.blocks import by_rows
from datamap.labels.most_confident import most_confident
from datamap.labels.witnesses import part_of
from datamap.signals.compute import label_values, log_of, log_softmax

MAX_ROWS = 20_000  # rows that the few parameters are fitted to; a random part if there are more
ROUNDS = 8  # of expectation and maximization; the parameters change little after them
SURE_SHARE = 0.15  # share of the witnesses' predictions of each class that count as most confident
MIN_RECALL = 0.25  # share of the wrong labels there; a run that contradicts fewer of them loses weight
RECALL_PRIOR = 1.0  # pseudo-counts of wrong labels that a run contradicts, and of those that it repeats
MIN_CONFIDENCE = 1e-4  # smallest mean probability that counts: a run is never more certain than that
PRIOR_WEIGHT, PRIOR = 0.3, 10.0  # prior weight of the run, and its strength in samples
TERMS_PRIOR = 0.01  # pull of the class terms to 0, per sample
MIN_FREQUENCY = 1e-6  # of a class
MAX_WEIGHT, MAX_TERM = 6.0, 8.0
# Largest weight of the run for units: the same units are hard for run and witnesses, so it must not count more.
MAX_UNIT_WEIGHT = 1.0
EVEN = 0.05  # share of the errors of units that do not depend on how frequent the classes are
ANCHOR = 5.0  # pseudo-count of class frequencies in the witnesses' predictions for a class, in samples


class RunWeights(NamedTuple):
    """Hold the weights of a run's predictions as evidence of the true class.

    Attributes:
        confidence: λ ≥ 0, weight of the logarithm of the run's mean probabilities; near 0 if they are uninformative.
        given: γ, weight of the given label itself. It is positive if the label adds to the run's predictions,
            and negative if the run repeats it too readily.
    """

    confidence: float
    given: float


def infer(
    witnesses: np.ndarray,
    labels: np.ndarray,
    mean: np.ndarray,
    columns: np.ndarray | None = None,
    trust: float = 1.0,
    slope: float = 1.0,
) -> tuple[np.ndarray, RunWeights]:
    """Infer the distribution of each sample's true class z from witnesses A, given label y and run B.

    With B(c) = the run's mean probability of class c over its observations, the run's part of the posterior is

        R(c | x, y) ∝ f_c^(1 − min(1, λ)) · B(c)^λ · exp(γ [c = y] + b_c)

    with the classes' frequencies f. A run that knows the classes has also learned how frequent they are. A run that
    has memorized everything only implies that labels of rare classes are wrong more often. The parameters λ ≥ 0, γ
    and b_c are fitted so that R explains the witnesses' predictions:

        maximize Σ_x Σ_c A(c | x) ln Σ_k R(k | x, y) M_kc

    Here M_kc = E[A(c) | z = k] is the mean probability that the witnesses give class c for samples of class k, so that
    weak witnesses do not count as evidence against the run ("forward correction", Patrini et al. 2017, sec. 3.2). M is
    unknown, too. It is estimated in turns with R, as the mean of A weighed by R (expectation-maximization, as in Dawid
    and Skene 1979). It is essential that A never saw y: given z, it is then independent of y, so that R can only
    explain A through knowledge of z. The posterior multiplies both sources, p(c) ∝ R(c) A(c) / f_c.

    Run and witnesses find the same texts hard, which looks like knowledge even if the run has memorized all labels. So
    λ is multiplied by the run's `trust`, and the other parameters are fitted again. Where only the witnesses count, the
    posterior has A(c)^s instead of A(c), s = 1 + (1 − trust) (slope − 1): they predict given labels, some of which are
    wrong, and would be surer of true ones.

    Most units, such as tokens, are of one class, and their errors are not spread evenly: an entity is missed far more
    easily than invented. Given `columns`, errors between two classes are as frequent one way as the other, so that

        R(c | x, y) ∝ f_c · (B(c) / f_c)^λ · T(y | c) · exp(γ [c = y] + b_c),  λ ≤ `MAX_UNIT_WEIGHT`

    with T(y | c) = u + (1 − u) min(1, f_y / f_c), where u = `EVEN` are errors that do not depend on frequencies. Each
    column has its own frequencies f: otherwise a run would seem to know that a rare label is rare in all samples.

    Args:
        witnesses: float (N, C), A: distributions of models that never saw the labels, none of them 0.
        labels: int (N,), y: the given labels.
        mean: float (N, C), B: the run's mean predicted distributions.
        columns: int (N,), which units have the same frequencies: the index of the label, 0 for tokens; None if the
            rows are samples.
        trust: how much of λ counts, 0 to 1; of samples only (`trust_in_run`).
        slope: how much surer the witnesses would be without wrong labels (`error_rate.fit`).

    Returns:
        The posterior, float64 (N, C) with rows that sum to 1, and the weights of the run.

    >>> labels = np.array([0, 1] * 50)
    >>> witnesses = np.eye(2)[labels] * 0.2 + 0.4  # weak, and never contradicts
    >>> posterior, weights = infer(witnesses, labels, np.eye(2)[labels] * 0.8 + 0.1)
    >>> bool((posterior.argmax(axis=1) == labels).all())
    True
    """
    classes = witnesses.shape[1]
    rows = part_of(np.arange(len(labels)), MAX_ROWS)
    of_all = _log_frequencies(labels, np.zeros_like(labels), classes)[0]
    of_columns = None if columns is None else _log_frequencies(labels, columns, classes)

    def run_terms(labels, mean, columns=None):
        """Return (ln f, the part of R without λ, the logarithms that λ weights) of some rows."""
        if of_columns is None:
            return of_all, own * of_all, _logs(mean)
        rare = of_columns[columns]
        return rare, rare + _log_errors(labels, rare), _logs(mean) - _logs(np.exp(rare))

    def fitted(weights, rounds):
        _, before, logs = run_terms(*(array[rows] for array in arrays))
        single = [np.asarray(array, np.float32) for array in (witnesses[rows], logs, before, np.exp(of_all))]
        return _fitted(labels[rows], weights, rounds, *single)

    def posterior(witnesses, labels, *run):
        rare, before, logs = run_terms(labels, *run)
        run_scores = _run_scores(values, labels, logs, before)
        return np.exp(log_softmax(run_scores - rare + sharper * log_of(witnesses)))

    arrays = (labels, mean) if columns is None else (labels, mean, columns)
    own, sharper = 1.0, 1 + (1 - trust) * (slope - 1)  # power of f in R, and of A in the posterior
    if columns is None:
        weight = trust * fitted((0, MAX_WEIGHT), ROUNDS // 2)[0]
        own = 1 - min(1, weight)
        values = fitted((weight, weight), ROUNDS // 2)
    else:
        values = fitted((0, MAX_UNIT_WEIGHT), ROUNDS)
    return by_rows(posterior, witnesses, *arrays), RunWeights(float(values[0]), float(values[1]))


def trust_in_run(witnesses: np.ndarray, labels: np.ndarray, mean: np.ndarray, share: float) -> float:
    """Compute how much of a run's weight counts, by the share of likely wrong labels that the run contradicts.

    Of the samples S of the most confident predictions `share` · |S| labels are wrong. The run contradicts the share

        r = |{x in S: witnesses and run contradict y}| / (share · |S|)

    of them. It is near 0 if the run has memorized the labels. What counts is min(1, r / `MIN_RECALL`).

    Args:
        witnesses: float (N, C), distributions of models that never saw the labels.
        labels: int (N,), the given labels.
        mean: float (N, C), the run's mean predicted distributions.
        share: which share of the labels is wrong (`error_rate.fit`).

    >>> labels = np.array([0, 1] * 50)
    >>> labels[:10], witnesses = 1, np.eye(2)[np.array([0, 1] * 50)]
    >>> round(trust_in_run(witnesses, labels, np.eye(2)[labels], 0.5), 2)
    0.4
    >>> trust_in_run(witnesses, labels, witnesses, 0.5)
    1.0
    """
    rows = np.concatenate(list(most_confident(witnesses, SURE_SHARE).values()))
    both = np.all([probs[rows].argmax(axis=1) != labels[rows] for probs in (witnesses, mean)], axis=0).sum()
    recall = (both + RECALL_PRIOR) / (share * len(rows) + 2 * RECALL_PRIOR)
    return float(min(1, recall / MIN_RECALL))


def _log_frequencies(labels, columns, classes):
    """Return ln f (columns, C), the logarithm of how frequent each class is in each column."""
    counts = np.zeros((int(columns.max()) + 1, classes))
    np.add.at(counts, (columns, labels), 1)
    return np.log(np.maximum(counts / counts.sum(axis=1, keepdims=True).clip(1), MIN_FREQUENCY))


def _log_errors(labels, rare):
    """Return ln T (N, C), how easily the given label is given by mistake where the class is another one."""
    rarer = np.exp(np.minimum(0, label_values(rare, labels)[:, None] - rare))
    return np.log(EVEN + (1 - EVEN) * rarer)


def _logs(probs):
    """Return the logarithms of distributions, less their mean over the classes, float64 (N, C)."""
    logs = np.log(np.clip(probs, MIN_CONFIDENCE, None, dtype=np.float64))
    return logs - logs.mean(axis=1, keepdims=True)


def _run_scores(values, labels, logs, before):
    """Return R (N, C) as unnormalized logarithms, for the parameters [λ, γ, b_1, …, b_C].

    `before` is ln f, or ln f T for units.
    """
    values = values.astype(logs.dtype)
    scores = values[0] * logs
    scores += values[2:] + before
    scores[np.arange(len(labels)), labels] += values[1]
    return scores


def _softmax(scores):
    """Return the softmax over classes of scores (N, C), which are overwritten."""
    scores -= scores.max(axis=1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=1, keepdims=True)
    return scores


def _fitted(labels, weights, rounds, witnesses, logs, before, frequencies):
    """Return the parameters [λ, γ, b_1, …, b_C], with bounds of λ, after some rounds of expectation and maximization.

    The last four arrays are of single precision, which is exact enough and takes less than half of the time.
    """
    from scipy.optimize import minimize

    count, classes = witnesses.shape
    # M: at first, what the witnesses say is taken at its word.
    said = np.float32(0.98) * np.eye(classes, dtype=np.float32) + np.float32(0.02) * frequencies

    def loss(values):
        """Return (−Σ A ln(R M) / N with penalties, its gradient)."""
        run = _softmax(_run_scores(values, labels, logs, before))
        told = np.maximum(run @ said, np.float32(1e-12))
        pull = (witnesses / told) @ said.T
        pull -= np.einsum("ij,ij->i", run, pull)[:, None]
        slopes = np.multiply(run, pull, out=pull)
        weight, given, terms = values[0] - PRIOR_WEIGHT, values[1], values[2:]
        by_weight, by_given = np.vdot(slopes, logs), label_values(slopes, labels).sum(dtype=np.float64)
        found = np.concatenate(
            [
                [2 * PRIOR / count * weight - by_weight / count],
                [0.2 * PRIOR / count * given - by_given / count],
                2 * TERMS_PRIOR * terms - slopes.sum(axis=0, dtype=np.float64) / count,
            ]
        )
        penalty = PRIOR / count * (weight**2 + 0.1 * given**2) + TERMS_PRIOR * (terms**2).sum()
        told = np.log(told, out=told)
        told *= witnesses
        return penalty - told.sum(dtype=np.float64) / count, found

    bounds = [weights, (-MAX_TERM, MAX_TERM), *[(-MAX_TERM, MAX_TERM)] * classes]
    values = np.concatenate([[np.clip(PRIOR_WEIGHT, *weights), 0.5], np.zeros(classes)])
    for _ in range(rounds):
        values = minimize(loss, values, jac=True, method="L-BFGS-B", bounds=bounds).x
        run = _softmax(_run_scores(values, labels, logs, before))
        said = (run.T @ witnesses + ANCHOR * frequencies) / (run.sum(axis=0)[:, None] + ANCHOR)
    return values
