"""Send the observations that training could not log, because the store did not take them."""

from pathlib import Path

from datamap.config import UploadConfig
from datamap.errors import TrackingError, counted, masked
from datamap.log import say
from datamap.tracking import outbox
from datamap.tracking.run import Run
from datamap.tracking.store import Store


def upload(config: UploadConfig) -> list[Run]:
    """Send what training spooled to disk into its runs; returns them.

    Raises:
        TrackingError: nothing is spooled, or a run did not take all; the others' are sent all the same.
    """
    waiting = [folder for folder in sorted(Path(config.folder).glob("*")) if outbox.spooled(folder)]
    if not waiting:
        raise TrackingError(f"folder={config.folder}: nothing is spooled there")
    sent, left = [], []
    for folder in waiting:
        try:
            sent.append(_send(folder))
        except TrackingError as error:
            left.append(f"{error} (left in {folder})")
    if left:
        raise TrackingError("; ".join(left))
    return sent


def _send(folder: Path) -> Run:
    note = outbox.spool_note(outbox.spooled(folder)[0])
    run = _store(note["tracking_uri"]).run(note["run_id"])
    run.writer = note["writer"]
    count = outbox.deliver_spooled(run, folder)
    say(f"{counted(count, 'upload')} sent into run {run.run_id}  ({run.address})")
    return run


def _store(uri: str) -> Store:
    """The store that a note names; where its address has a password, which is in no note, that of the environment."""
    if "***" not in uri:
        return Store(uri)
    store = Store()
    if masked(store.uri) != uri:
        raise TrackingError(f"spooled for {uri}: set MLFLOW_TRACKING_URI to that address, with its password")
    return store
