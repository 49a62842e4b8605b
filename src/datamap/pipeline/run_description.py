"""Write the description on a run's page; each command that adds something to a run replaces it."""

from datamap.errors import TrackingError
from datamap.labels.counting import REASONS
from datamap.pipeline.run_access import definition_of
from datamap.tracking import descriptions
from datamap.tracking.run import Run


def describe(run: Run, samples: int) -> None:
    """Describe what a run holds now on its page in MLflow's UI, in the run's language.

    Args:
        run: run with a summary.
        samples: number of rows of the summary.

    Raises:
        TrackingError: a metric has a value that it cannot have, or the summary's metrics are missing.
    """
    metrics = run.metrics()
    if "summary/observations" not in metrics:
        again = run.command("summarize")
        raise TrackingError(
            f"run {run.run_id} has a summary, but not its metrics; summarize it again: {again}"
        )
    artifacts = {path for path in descriptions.FILES if run.has(path)}
    reason = REASONS.get(run.tags().get(descriptions.UNKNOWN_TAG, ""), REASONS["nothing"])
    definition = definition_of(run)
    run.describe(
        descriptions.describe_run(
            samples,
            metrics,
            run.link_to,
            artifacts,
            run.language,
            definition.has_classes,
            reason,
            definition.row,
        )
    )
