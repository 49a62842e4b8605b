"""Log files together with the metrics that commit them."""

import contextlib
import tempfile
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from datamap.errors import TrackingError
from datamap.tracking.run import Run


class Delivery(NamedTuple):
    """Hold what is logged together; the metrics come last and commit the files.

    Attributes:
        number: step of the metrics.
        files: function that yields (artifact path, bytes); it is called once, in the sending thread.
        metrics: {name: value}.
        status: final status of the run in the last delivery, "" if its owner sets it; None in all others.
        remove: folder of artifacts to delete in the end.
        then: function that is called with the run when all is sent; it raises nothing.
    """

    number: int
    files: Callable[[], Iterable[tuple[str, bytes]]] = tuple
    metrics: dict[str, float] = {}
    status: str | None = None
    remove: str | None = None
    then: Callable[[Run], None] | None = None


class FilesOnDisk(Sequence):
    """Keep files in a temporary file until they are sent; memory holds one of them at a time.

    >>> files = FilesOnDisk([("a", b"1"), ("b", b"23")])
    >>> list(files), files[1]
    ([('a', b'1'), ('b', b'23')], ('b', b'23'))
    """

    def __init__(self, files: Iterable[tuple[str, bytes]]) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  closed by __del__
        self._places: list[tuple[str, int, int]] = []
        for path, content in files:
            self._places.append((path, self._file.tell(), len(content)))
            self._file.write(content)

    def __del__(self) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: Any) -> Any:
        path, start, size = self._places[index]
        self._file.seek(start)
        return path, self._file.read(size)


def send(run: Run, files: Iterable[tuple[str, bytes]], delivery: Delivery, at: int | None = None) -> None:
    """Log a delivery: files first, then the metrics that commit them; sending it twice does no harm.

    Check before each file that no other process has taken the run over. A process that was suspended meanwhile can then
    overwrite at most one file of the other process, which the checksums reveal.

    Args:
        run: run to log into.
        files: the result of `delivery.files()`.
        delivery: metrics and status to log.
        at: time of the metrics, in milliseconds since 1970; None = now.

    Raises:
        RunLostError: another process writes into the run.
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
        with contextlib.suppress(TrackingError):  # some stores cannot delete; files that stay do no harm
            run.artifacts.remove(delivery.remove)
