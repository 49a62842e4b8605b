"""Send the observations that training could not log, because the store did not take them.

datamap upload
datamap upload folder=/data/datamap-spool
"""

from pathlib import Path

from datamap.commands.config import UploadConfig
from datamap.errors import TrackingError
from datamap.log import say
from datamap.program import invocation
from datamap.tracking import outbox
from datamap.tracking.store import Run, Store


def run(config: UploadConfig, overrides: list[str]) -> None:
    """Upload, and say what to do next."""
    for found in upload(config):
        say(f"next: {invocation('summarize', f'run_id={found.run_id}')}")


def upload(config: UploadConfig) -> list[Run]:
    """Send what training spooled to disk into its runs; returns them."""
    places = [place for place in sorted(Path(config.folder).glob("*")) if outbox.spooled(place)]
    if not places:
        raise TrackingError(f"folder={config.folder}: nothing is spooled there")
    runs = []
    for place in places:
        note = outbox.spool_note(outbox.spooled(place)[0])
        run = Store(note["tracking_uri"]).run(note["run_id"])
        run.claim = note["claim"]
        count = outbox.deliver_spooled(run, place)
        say(f"{count} parcels sent into run {run.run_id}  ({run.place})")
        runs.append(run)
    return runs
