"""Reduce the observations of each sample to one row of statistics, one pure function per statistic.

Training dynamics show how a model came to know a sample. A sample that the model predicts right from the first epoch on
is easy. One whose probability goes up and down is ambiguous. One that the model predicts wrong to the end is hard, or
its label is wrong (Swayamdipta et al. 2020, "Dataset Cartography").
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from datamap.errors import SignalError, did_you_mean
from datamap.signals.observations import Observations

# In the functions below, t = 1 … T counts observations. `correct` is a bool array (T, samples): the prediction equals
# the given label y. `label_probs` is a float64 array (T, samples): p_t(y | x), the probability of the given label.


def correct_times(correct: np.ndarray) -> np.ndarray:
    """Count the observations with a right prediction: Σ_t [prediction_t = y], int (samples,).

    >>> correct_times(np.array([[True, False], [True, True]]))
    array([2, 1])
    """
    return correct.sum(axis=0)


def correct_ratio(correct: np.ndarray) -> np.ndarray:
    """Compute the share of observations with a right prediction, in [0, 1].

    This is the "correctness" of Swayamdipta et al. (2020, sec. 2): a coarse measure of how easy a sample is, which
    ignores how sure the model was.

    >>> correct_ratio(np.array([[True, False], [True, True]]))
    array([1. , 0.5])
    """
    return correct.mean(axis=0)


def avg_probs(label_probs: np.ndarray) -> np.ndarray:
    """Compute the mean probability of the given label, (1/T) Σ_t p_t(y | x), in [0, 1].

    This is the "confidence" of Swayamdipta et al. (2020, eq. 1), the vertical axis of the data map. It is the
    confidence in the given label, not in the prediction: a model that is sure of another label gives it a low value.
    Samples with a wrong label therefore gather at the bottom of the map.

    >>> avg_probs(np.array([[0.5, 0.2], [1.0, 0.2]]))
    array([0.75, 0.2 ])
    """
    return label_probs.mean(axis=0)


def label_var(label_probs: np.ndarray) -> np.ndarray:
    """Compute the population variance of the given label's probability over the observations, in [0, 0.25].

    Its square root is the "variability" of Swayamdipta et al. (2020, eq. 2), the horizontal axis of the data map. It is
    high for samples on which the model changes its mind. With a mean of c it is at most c (1 − c), so that the points
    of a map lie under an arch.

    >>> label_var(np.array([[0.0, 0.3], [1.0, 0.3]]))
    array([0.25, 0.  ])
    """
    return label_probs.var(axis=0)


def forgetting_times(correct: np.ndarray) -> np.ndarray:
    """Count forgetting events: Σ_t [right at t and wrong at t + 1], int (samples,).

    A sample that is forgotten again and again is near the border between classes, atypical or wrongly labeled; samples
    that are never forgotten can often be left out without loss of accuracy (Toneva et al. 2019).

    >>> forgetting_times(np.array([[1, 0], [0, 0], [1, 1]], dtype=bool))
    array([1, 0])
    """
    return _forgetting(correct).sum(axis=0)


def learnt_times(correct: np.ndarray) -> np.ndarray:
    """Count learning events: Σ_t [wrong at t and right at t + 1], int (samples,); Toneva et al. (2019).

    They alternate with forgetting events, so that the two counts differ by at most 1.

    >>> learnt_times(np.array([[1, 0], [0, 0], [1, 1]], dtype=bool))
    array([1, 1])
    """
    return _learning(correct).sum(axis=0)


def first_forget(correct: np.ndarray) -> np.ndarray:
    """Return the 0-based index of the observation at which each sample was first forgotten; 0 means never.

    Index 0 is free for that, as the observation of an event is at least the second one.

    >>> first_forget(np.array([[1, 0], [0, 0], [1, 1]], dtype=bool))
    array([1, 0])
    """
    return _first(_forgetting(correct))


def first_learn(correct: np.ndarray) -> np.ndarray:
    """Return the 0-based index of the observation at which each sample was first learned; 0 means never.

    A sample that is right at the first observation and stays so has no learning event, so it has 0 too.

    >>> first_learn(np.array([[1, 0], [0, 0], [1, 1]], dtype=bool))
    array([2, 2])
    """
    return _first(_learning(correct))


def aleatoric(label_probs: np.ndarray) -> np.ndarray:
    """Compute the data uncertainty (1/T) Σ_t p_t (1 − p_t), with p_t = p_t(y | x), in [0, 0.25].

    It is the aleatoric uncertainty of Data-IQ (Seedat et al. 2022, eq. 2). It is high where single predictions are
    near 0.5, while variability is high where predictions differ between observations. The two add up to c (1 − c) with
    the mean probability c, by the law of total variance.

    >>> aleatoric(np.array([[0.5, 1.0], [0.5, 0.0]]))
    array([0.25, 0.  ])
    """
    return (label_probs * (1 - label_probs)).mean(axis=0)


def _forgetting(correct):
    return correct[:-1] & ~correct[1:]


def _learning(correct):
    return ~correct[:-1] & correct[1:]


def _first(events):
    if len(events) == 0:
        return np.zeros(events.shape[1], np.int64)
    return np.where(events.any(axis=0), events.argmax(axis=0) + 1, 0)


# Column of the summary → its values; the order here is the order there. Those of `schema.SUMMARY_COLUMNS` come first: a
# new statistic is one of `schema.FURTHER_COLUMNS`, which summaries of earlier versions may lack.
STATISTICS: dict[str, Callable[[Observations], np.ndarray]] = {
    "correct_times": lambda o: correct_times(o.correct),
    "correct_ratio": lambda o: correct_ratio(o.correct),
    "avg_probs": lambda o: avg_probs(o.label_probs),
    "label_var": lambda o: label_var(o.label_probs),
    "max_label_probs": lambda o: o.label_probs.max(axis=0),
    "min_label_probs": lambda o: o.label_probs.min(axis=0),
    "forgetting_times": lambda o: forgetting_times(o.correct),
    "learnt_times": lambda o: learnt_times(o.correct),
    "first_forget": lambda o: first_forget(o.correct),
    "first_learn": lambda o: first_learn(o.correct),
    "aleatoric": lambda o: aleatoric(o.label_probs),
}


def el2n(error_norm: np.ndarray, first: int) -> np.ndarray:
    """Compute the EL2N score: the mean length of the error vector, ‖p_t − onehot(y)‖₂, over early observations.

    Samples with a large score early in training matter most for what the model learns (Paul et al. 2021, sec. 2.2).

    Args:
        error_norm: float (T, samples), lengths of the error vectors (`compute.error_norm`).
        first: the number of observations from the first that count.

    >>> el2n(np.array([[1.0, 0.0], [0.5, 0.25], [0.0, 0.0]]), first=2)
    array([0.75 , 0.125])
    """
    return error_norm[:first].mean(axis=0)


# Name → reduction of a further signal, (T, samples) → (samples,).
REDUCTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "mean": lambda values: values.mean(axis=0),
    "var": lambda values: values.var(axis=0),
    "min": lambda values: values.min(axis=0),
    "max": lambda values: values.max(axis=0),
    "first": lambda values: values[0],
    "last": lambda values: values[-1],
}


def summarize(
    observations: Observations, extra: dict[str, list[str]] | None = None, el2n_observations: int = 10
) -> pd.DataFrame:
    """Reduce observations to one row per sample, in the order of the first observation.

    A sample that is missing from some observations is reduced over those that it has, as if there were no others.

    Args:
        observations: the signals of all samples.
        extra: {further signal: names in `REDUCTIONS`}; any other signal is reduced to its mean.
        el2n_observations: the number of observations for `el2n`.

    Returns:
        DataFrame with id, label, s_label and the columns of `STATISTICS`, `el2n` if the probabilities of all
        classes are known, and `<signal>_<reduction>` for each further signal.

    Raises:
        SignalError: `extra` names an unknown signal or reduction.
    """
    extra = extra or {}
    if observations.present is None:
        return _reduce(observations, extra, el2n_observations)
    counts = observations.present.sum(axis=0)
    # Stable: the observations that a sample has come first, in their order.
    order = np.argsort(~observations.present, axis=0, kind="stable")
    parts = []
    for count in np.unique(counts):
        samples = np.flatnonzero(counts == count)
        part = _reduce(observations.take(samples, order[:count, samples]), extra, el2n_observations)
        parts.append(part.set_index(samples))
    return pd.concat(parts).sort_index()


def _reduce(observations, extra, el2n_observations):
    further = dict(observations.further)
    norms = further.pop("error_norm", None)
    columns = {
        "id": observations.ids.to_numpy(zero_copy_only=False),
        "label": observations.labels,
        "s_label": observations.planted,
        **{name: statistic(observations) for name, statistic in STATISTICS.items()},
    }
    if norms is not None:
        columns["el2n"] = el2n(norms, el2n_observations)
    _refuse_unknown(extra, further)
    for key, values in further.items():
        for reduction in extra.get(key, ["mean"]):
            columns[f"{key}_{reduction}"] = REDUCTIONS[reduction](values)
    return pd.DataFrame(columns)


def _refuse_unknown(extra, further):
    for key, reductions in extra.items():
        if key not in further:
            raise SignalError(
                f"extra: the run has no signal {key!r}{did_you_mean(key, further)} (signals: {', '.join(further)})"
            )
        for name in reductions:
            if name not in REDUCTIONS:
                raise SignalError(
                    f"extra: signal {key} has unknown reduction {name!r}{did_you_mean(name, REDUCTIONS)} "
                    f"(reductions: {', '.join(REDUCTIONS)})"
                )


# Columns that `sums` needs.
SUMMED = ["avg_probs", "label_var", "correct_times", "correct_ratio", "forgetting_times"]


def sums(summary: pd.DataFrame) -> dict[str, float]:
    """Add up over the rows of a summary what `headlines` divides by the number of samples."""
    return {
        "samples": len(summary),
        "mean_confidence": float(summary["avg_probs"].sum()),
        "mean_variability": float(np.sqrt(summary["label_var"]).sum()),
        "mean_correct": float(summary["correct_ratio"].sum()),
        "never_learnt": int((summary["correct_times"] == 0).sum()),
        "forgetting_events": int(summary["forgetting_times"].sum()),
    }


def headlines(sums: dict[str, float]) -> dict[str, float]:
    """Describe a run in a few numbers, from the `sums` of all its samples.

    Returns:
        {"mean_confidence": mean of avg_probs, "mean_variability": mean of the root of label_var, "mean_correct": mean
        of correct_ratio, "never_learnt": share of samples that were never predicted correctly, "forgetting_events":
        forgetting events per sample}.
    """
    return {name: value / sums["samples"] for name, value in sums.items() if name != "samples"}
