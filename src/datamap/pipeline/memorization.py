"""What a run's own metrics say of learning by heart, and what users are told of it."""

from datamap.labels.memorisation import Memorisation, memorisation
from datamap.tracking.run import Run

BEGINS, REPEATED = "memorisation/from_observation", "memorisation/repeated"
SEEN, UNSEEN = "train/accuracy", "validation/accuracy"  # metrics of each observation


def of_run(run: Run) -> Memorisation | None:
    """From training accuracy and accuracy on development data; None where the run lacks one of them."""
    return memorisation(run.history(SEEN), run.history(UNSEEN))


def trusted_until(run: Run) -> int | None:
    """Number of the last observation before the model begins to learn labels by heart; None = of all of them.

    By accuracy on development data, or by what `diagnose` found.
    """
    found = of_run(run)
    begins = found.number if found else run.metrics().get(BEGINS)
    return max(1, int(begins) - 1) if begins else None


def note(found: Memorisation) -> str:
    """One line: what is seen, and what to do."""
    seen = (
        f"repeats {found.seen:.0%} of the {found.doubted:,} labels that models of the texts are surest are wrong"
        if found.doubted
        else f"knows {found.seen:.0%} of the samples it is trained on, and {found.unseen:.0%} of others"
    )
    return (
        f"note: from observation {found.number} on the model learns labels by heart (in the end it {seen}), wrong "
        f"ones too: trust the map of early observations (summarize until=auto), or train with fewer epochs"
    )


def metrics(found: Memorisation | None) -> dict[str, float]:
    """{metric: value}; {} where nothing was found."""
    if found is None:
        return {}
    measured = {REPEATED: found.seen} if found.doubted else {"memorisation/gap": found.seen - found.unseen}
    return {BEGINS: found.number, **measured}
