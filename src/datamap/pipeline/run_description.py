"""What a run's page says of it, written anew by each command that adds something to the run."""

from pathlib import Path

from datamap import schema
from datamap.tracking import descriptions
from datamap.tracking.run import Run


def describe(run: Run, samples: int, lang: str = "en") -> None:
    """Describe a run that has a summary of so many samples by what it holds now."""
    explorers = run.files(str(Path(schema.EXPLORER_FILE).parent))
    artifacts = {*run.files(None), *explorers}
    run.describe(descriptions.of_run(samples, run.metrics(), run.link_to, artifacts, lang))
