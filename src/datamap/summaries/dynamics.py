"""From observations to one row per sample: a pure function per statistic."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from datamap.errors import SignalError, did_you_mean
from datamap.signals.observations import Observations

# In the functions below: `correct` is a bool array (observations, samples), `label_probs` a
# float64 array of the same shape: the probability of the given label.


def correct_times(correct: np.ndarray) -> np.ndarray:
    """Count the observations in which each sample was predicted right.

    >>> correct_times(np.array([[True, False], [True, True]]))
    array([2, 1])
    """
    return correct.sum(axis=0)


def correct_ratio(correct: np.ndarray) -> np.ndarray:
    """Share of right predictions ("correctness", Swayamdipta et al. 2020, sec. 2), in [0, 1]."""
    return correct.mean(axis=0)


def avg_probs(label_probs: np.ndarray) -> np.ndarray:
    """Mean probability of the given label: "confidence" (Swayamdipta et al. 2020, eq. 1)."""
    return label_probs.mean(axis=0)


def label_var(label_probs: np.ndarray) -> np.ndarray:
    """Population variance of the given label's probability, in [0, 0.25].

    Its square root is "variability" (Swayamdipta et al. 2020, eq. 2).

    >>> label_var(np.array([[0.0, 0.3], [1.0, 0.3]]))
    array([0.25, 0.  ])
    """
    return label_probs.var(axis=0)


def forgetting_times(correct: np.ndarray) -> np.ndarray:
    """Count forgetting events: right, then wrong at the next observation (Toneva et al. 2019).

    >>> forgetting_times(np.array([[1, 0], [0, 0], [1, 1]], dtype=bool))
    array([1, 0])
    """
    return _forgetting(correct).sum(axis=0)


def learnt_times(correct: np.ndarray) -> np.ndarray:
    """Count learning events: wrong, then right at the next observation (Toneva et al. 2019).

    >>> learnt_times(np.array([[1, 0], [0, 0], [1, 1]], dtype=bool))
    array([1, 1])
    """
    return _learning(correct).sum(axis=0)


def first_forget(correct: np.ndarray) -> np.ndarray:
    """0-based observation of the first forgetting event; 0 = never (none can fall on 0)."""
    return _first(_forgetting(correct))


def first_learn(correct: np.ndarray) -> np.ndarray:
    """0-based observation of the first learning event; 0 = never (none can fall on 0)."""
    return _first(_learning(correct))


def _forgetting(correct):
    return correct[:-1] & ~correct[1:]


def _learning(correct):
    return ~correct[:-1] & correct[1:]


def _first(events):
    if len(events) == 0:
        return np.zeros(events.shape[1], np.int64)
    return np.where(events.any(axis=0), events.argmax(axis=0) + 1, 0)


# Column of the summary → its values; the order here is the order there.
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
}


def aleatoric(label_probs: np.ndarray) -> np.ndarray:
    """Mean of p (1 − p) of the given label: data uncertainty (Data-IQ, Seedat et al. 2022, eq. 2).

    >>> aleatoric(np.array([[0.5, 1.0], [0.5, 0.0]]))
    array([0.25, 0.  ])
    """
    return (label_probs * (1 - label_probs)).mean(axis=0)


def el2n(error_norm: np.ndarray, first: int) -> np.ndarray:
    """Mean length of the error vector over the `first` observations (EL2N, Paul et al. 2021, sec. 2.2)."""
    return error_norm[:first].mean(axis=0)


# What a further signal, (observations, samples) → (samples,), can be reduced to.
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

    A sample that is missing from some observations is reduced over those that it has, as if
    there were no others.

    Args:
        observations: `observations.Observations`.
        extra: {further signal: names in `REDUCTIONS`}; a signal that is not named gets its mean.
        el2n_observations: how many observations `el2n` is over.
    Returns:
        DataFrame with the columns of `schema.SUMMARY_COLUMNS`, then `aleatoric`, `el2n` where all
        classes' probabilities are known, and `<signal>_<reduction>` of the further signals.
    Raises:
        SignalError: `extra` names a signal or a reduction that there is none of.
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
        "aleatoric": aleatoric(observations.label_probs),
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
                f"extra: no signal {key!r} is recorded{did_you_mean(key, further)} (signals: {', '.join(further)})"
            )
        for name in reductions:
            if name not in REDUCTIONS:
                raise SignalError(
                    f"extra: {key} has no reduction {name!r}{did_you_mean(name, REDUCTIONS)} "
                    f"(reductions: {', '.join(REDUCTIONS)})"
                )


SUMMED = ["avg_probs", "label_var", "correct_times", "forgetting_times"]  # columns that `sums` needs


def sums(summary: pd.DataFrame) -> dict[str, float]:
    """What `headlines` are made from, added up over the rows of a summary."""
    return {
        "samples": len(summary),
        "mean_confidence": float(summary["avg_probs"].sum()),
        "mean_variability": float(np.sqrt(summary["label_var"]).sum()),
        "never_learnt": int((summary["correct_times"] == 0).sum()),
        "forgetting_events": int(summary["forgetting_times"].sum()),
    }


def headlines(sums: dict[str, float]) -> dict[str, float]:
    """A run in a few numbers, from the `sums` of all its samples.

    Returns:
        {"mean_confidence": mean avg_probs, "mean_variability": mean root of label_var (both Swayamdipta
        et al. 2020), "never_learnt": share of samples that were never predicted right,
        "forgetting_events": forgetting events per sample (Toneva et al. 2019)}.
    """
    return {name: value / sums["samples"] for name, value in sums.items() if name != "samples"}
