"""What is logged together: files, and the metrics that commit them."""

import contextlib
from collections.abc import Callable, Iterable
from typing import NamedTuple

from datamap.errors import TrackingError
from datamap.tracking.run import Run


class Delivery(NamedTuple):
    """What is logged together; the metrics come last and commit the files.

    `files()` yields (artifact path, bytes), and is called once, in the sending thread. `metrics` is
    {name: value} at step `number`; `status` ends the run ("" leaves its status to its owner), and
    removes the artifacts at `remove`.
    `then(run)` is called when all that is sent, and never tried again.
    """

    number: int
    files: Callable[[], Iterable[tuple[str, bytes]]] = tuple
    metrics: dict[str, float] = {}
    status: str | None = None
    remove: str | None = None
    then: Callable[[Run], None] | None = None


def send(run: Run, files: Iterable[tuple[str, bytes]], delivery: Delivery, at: int | None = None) -> None:
    """Log a delivery: files first, then the metrics that commit them. Doing it twice does no harm.

    Args:
        files: what `delivery.files()` yielded.
        at: the time of the metrics in milliseconds since 1970, now by default.
    Raises:
        RunLostError: another process writes into the run. It is asked before each file, so that of a process
            that slept at most the file under way can replace one of the other's, and the checksums tell.
        TrackingError: the store did not accept all of it.
    """
    for path, content in files:
        run.check_writer()
        run.log_bytes(content, path)
    run.check_writer()
    if delivery.metrics:
        run.log_metrics(delivery.metrics, delivery.number, at)
    if delivery.status:
        run.end(delivery.status)
    if delivery.remove:
        with contextlib.suppress(TrackingError):  # some stores delete nothing; what is left does no harm
            run.remove(delivery.remove)
