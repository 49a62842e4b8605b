"""Check the metrics that one command logs and another reads against the values that they can have.

A stranger may have made the run, and a metric may be NaN or infinite. The user's own metrics are not checked.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

from datamap.errors import TrackingError


class _Range(NamedTuple):
    low: float
    high: float
    whole: bool = False


# The observation from which on the model memorizes labels; how much higher its accuracy is in the end on training data
# than on other data, or, without other data, the share of the doubted labels that it repeats.
MEMORIZED_FROM = "memorisation/from_observation"
MEMORIZED_GAP, MEMORIZED_REPEATED = "memorisation/gap", "memorisation/repeated"
COUNT, SHARE = _Range(0, 2**53, whole=True), _Range(0, 1)
RANGES = {
    "summary/observations": COUNT._replace(low=1),
    "summary/samples": COUNT._replace(low=1),
    "summary/mean_confidence": SHARE,
    "summary/never_learnt": SHARE,
    "summary/learned": SHARE._replace(whole=True),
    "summary/forgetting_events": COUNT._replace(whole=False),
    "summary/auroc_dirty": SHARE,
    "mislabelled/estimate": COUNT,
    "mislabelled/low": COUNT,
    "mislabelled/high": COUNT,
    "mislabelled/known": SHARE._replace(whole=True),
    "mislabelled/to_relabel": COUNT,
    MEMORIZED_FROM: COUNT,
    MEMORIZED_GAP: _Range(-1, 1),
    MEMORIZED_REPEATED: SHARE,
    "review/reviewed": COUNT,
    "review/wrong": COUNT,
}
# Groups of metrics that a command logs together: a run that has the first one must have all.
TOGETHER = {
    "summary/observations": ("summary/mean_confidence", "summary/never_learnt", "summary/forgetting_events"),
    "mislabelled/known": ("mislabelled/estimate", "mislabelled/low", "mislabelled/high"),
    "review/reviewed": ("review/wrong",),
}


def checked(found: Mapping[str, float], run_id: str) -> dict[str, float]:
    """Return the metrics of `RANGES` that a run has.

    Args:
        found: {name: latest value} of all metrics.
        run_id: id of the run, for messages.

    Raises:
        TrackingError: a value is out of its range, or one of `TOGETHER` is missing.
    """
    ours = {name: found[name] for name in RANGES if name in found}
    for name, value in ours.items():
        _refuse_other(value, RANGES[name], f"run {run_id}: metric {name}")
    for first, others in TOGETHER.items():
        missing = [name for name in others if first in ours and name not in ours]
        if missing:
            raise TrackingError(f"run {run_id}: metric {missing[0]} is missing, though the run has {first}")
    if ours.get(MEMORIZED_FROM) and not {MEMORIZED_GAP, MEMORIZED_REPEATED} & set(ours):
        raise TrackingError(f"run {run_id}: metric {MEMORIZED_GAP} is missing, though the model memorizes")
    return ours


def rows(value: float, where: str) -> int:
    """Return the number of records of a committed observation, which is the value of its metric.

    Raises:
        TrackingError: the value is not a number of records; the message begins with `where`.
    """
    _refuse_other(value, COUNT, where)
    return int(value)


def valid_accuracies(history: Mapping[int, float]) -> dict[int, float]:
    """Return the points of a metric that can be an accuracy, as the user's own metric may be in percent or NaN.

    >>> valid_accuracies({1: 0.5, 2: float("nan"), 3: 93.0})
    {1: 0.5}
    """
    return {step: value for step, value in history.items() if _is_in(value, SHARE)}


def _is_in(value: float, of: _Range) -> bool:
    return math.isfinite(value) and of.low <= value <= of.high and (not of.whole or value == int(value))


def _refuse_other(value: float, of: _Range, where: str) -> None:
    if not _is_in(value, of):
        kind = "whole number" if of.whole else "number"
        raise TrackingError(f"{where} is {value}, not a {kind} from {of.low} to {of.high}")
