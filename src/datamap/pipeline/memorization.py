"""Tell from a run's metrics from when on the model memorizes labels, and word it for the user."""

from collections.abc import Iterable
from typing import NamedTuple

from datamap.labels.memorization import Onset, from_accuracies
from datamap.tracking.descriptions import MIN_OBSERVATIONS
from datamap.tracking.metrics import MEMORIZED_FROM, MEMORIZED_GAP, MEMORIZED_REPEATED, valid_accuracies
from datamap.tracking.run import Run
from datamap.translations import Phrase

SEEN, UNSEEN = "train/accuracy", "validation/accuracy"  # metrics of each observation


class Memorization(NamedTuple):
    """Hold what a run's metrics tell about memorization.

    Attributes:
        onset: where it begins by accuracy on training and on development data; None if it does not, or one is missing.
        number: the observation from which on the model memorizes labels, by that or by what `diagnose` logged, or None.
    """

    onset: Onset | None
    number: int | None


def read_memorization(run: Run) -> Memorization:
    """Return what the metrics of a run tell about memorization."""
    unseen = valid_accuracies(run.history(UNSEEN))
    found = from_accuracies(valid_accuracies(run.history(SEEN)), unseen) if unseen else None
    number = found.number if found else run.metrics().get(MEMORIZED_FROM, 0)
    return Memorization(found, int(number) if 0 < number < 2**53 else None)


def early_observations(numbers: Iterable[int], onset: int | None) -> list[int]:
    """Return the observations before number `onset`, but the first `MIN_OBSERVATIONS` at least; all where it is None.

    Fewer observations hardly show forgetting events or variability.

    >>> early_observations([200, 400, 600, 800, 1000], 1000), early_observations([200, 400, 600, 800, 1000], 200)
    ([200, 400, 600, 800], [200, 400, 600])
    """
    numbers = sorted(numbers)
    before = [number for number in numbers if onset is None or number < onset]
    return before if len(before) >= MIN_OBSERVATIONS else numbers[:MIN_OBSERVATIONS]


def note(onset: Onset, numbers: Iterable[int]) -> Phrase:
    """Return one line with the finding and advice for a summary of the observations `numbers`."""
    seen = (
        "predicts {seen:.0%} of the {doubted:,} labels that text models contradict with most confidence"
        if onset.doubted
        else "predicts {seen:.0%} of the labels that it was trained on, but {unseen:.0%} of others"
    )
    in_the_end = Phrase(seen, onset._asdict())
    return Phrase(
        "note: from observation {number} on, the model memorizes labels, including wrong ones (in the end it "
        "{seen}): {advice}",
        {"number": onset.number, "seen": in_the_end, "advice": _advice(onset, sorted(numbers))},
    )


def _advice(onset: Onset, numbers: list[int]) -> Phrase:
    if len(early_observations(numbers, onset.number)) < len(numbers):
        return Phrase(
            "trust the map of early observations (summarize until=auto), or train with fewer epochs"
        )
    if numbers[-1] < onset.number:
        return Phrase("the summary excludes these observations")
    few = "fewer than {least} precede it, too few for a map: observe more often (train signals.every=<steps>)"
    return Phrase(few, {"least": MIN_OBSERVATIONS})


def metrics(onset: Onset | None) -> dict[str, float]:
    """Return {metric: value} of an onset; {} where there is none."""
    if onset is None:
        return {}
    measured = (
        {MEMORIZED_REPEATED: onset.seen} if onset.doubted else {MEMORIZED_GAP: onset.seen - onset.unseen}
    )
    return {MEMORIZED_FROM: onset.number, **measured}


def withdrawn_metrics(run: Run, numbers: Iterable[int]) -> dict[str, float]:
    """Return metrics that withdraw an earlier diagnosis's onset where all observations together show none."""
    is_whole = set(run.committed()) == set(numbers)
    return (
        {MEMORIZED_FROM: 0.0}
        if is_whole and not read_memorization(run).onset and run.metrics().get(MEMORIZED_FROM)
        else {}
    )
