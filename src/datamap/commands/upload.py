"""Send the observations that training could not log, because the store did not take them.

datamap upload
datamap upload folder=/data/datamap-spool
"""

from pathlib import Path

from datamap.commands.config import UploadConfig
from datamap.errors import TrackingError, counted
from datamap.log import say
from datamap.program import invocation
from datamap.tracking import outbox
from datamap.tracking.run import Run
from datamap.tracking.store import Store


def run(config: UploadConfig, overrides: list[str]) -> None:
    """Upload, and say what to do next."""
    for found in upload(config):
        say(f"next: {invocation('summarize', f'run_id={found.run_id}')}")


def upload(config: UploadConfig) -> list[Run]:
    """Send what training spooled to disk into its runs; returns them."""
    waiting = [folder for folder in sorted(Path(config.folder).glob("*")) if outbox.spooled(folder)]
    if not waiting:
        raise TrackingError(f"folder={config.folder}: nothing is spooled there")
    runs = []
    for folder in waiting:
        note = outbox.spool_note(outbox.spooled(folder)[0])
        run = Store(note["tracking_uri"]).run(note["run_id"])
        run.writer = note["writer"]
        count = outbox.deliver_spooled(run, folder)
        say(f"{counted(count, 'upload')} sent into run {run.run_id}  ({run.address})")
        runs.append(run)
    return runs
