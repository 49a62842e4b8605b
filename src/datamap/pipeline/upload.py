"""Send the observations that training could not log, because the store did not accept them."""

from pathlib import Path

from datamap.config import UploadConfig
from datamap.errors import TrackingError, masked
from datamap.log import say
from datamap.tracking import spool
from datamap.tracking.run import Run
from datamap.tracking.store import Store, configured_uri
from datamap.translations import Amount


def upload(config: UploadConfig) -> list[Run]:
    """Send what training spooled to disk into its runs, and return them.

    Raises:
        TrackingError: nothing is spooled, or a run's store refused something; the other runs' uploads are sent first.
    """
    waiting = [folder for folder in sorted(Path(config.folder).glob("*")) if spool.waiting_in(folder)]
    if not waiting:
        raise TrackingError(f"folder={config.folder}: nothing is spooled there")
    sent, left = [], []
    for folder in waiting:
        try:
            sent.append(_send(folder, config.tracking.uri, config.lang))
        except TrackingError as error:
            left.append(f"{error} (left in {folder})")
    if left:
        raise TrackingError("; ".join(left))
    return sent


def _send(folder: Path, uri: str | None, lang: str) -> Run:
    """Send one run's spooled uploads into the store that the user names (`uri`), else the one in use.

    The address in the spool's note is only compared: a file on disk must not decide which server gets the user's
    credentials.
    """
    note = spool.read_note(spool.waiting_in(folder)[0])
    spooled_for, in_use = masked(note.tracking_uri), masked(configured_uri())
    if not uri and spooled_for != in_use:
        raise TrackingError(
            f"spooled for {spooled_for}, but the store in use is {in_use}: set tracking.uri= or MLFLOW_TRACKING_URI"
        )
    run = Store(uri).run(note.run_id)
    run.speak(lang)
    say(
        "{uploads} sent into run {run}  ({address})",
        uploads=Amount(spool.deliver_left(run, folder), "upload"),
        run=run.run_id,
        address=run.address,
    )
    return run
