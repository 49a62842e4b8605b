"""Live map: the map so far, drawn into the run's image series while training goes on."""

import time
from collections.abc import Callable

import pyarrow as pa

from datamap import schema
from datamap.log import say
from datamap.maps.live import LiveMap
from datamap.signals import shards
from datamap.signals.stored import signals_of
from datamap.tracking.run import Run
from datamap.training.preparation import PreparedTraining


class LiveMapLogger:
    """Draws the map so far into the run. It may fail: training goes on without it."""

    def __init__(self, run: Run, training: PreparedTraining) -> None:
        self.map: LiveMap | None = None
        self.begun = bool(training.start.committed)  # `schema.FORMING_MAP` has its first picture
        self._guarded(lambda: self._begin(run, training))

    def draw(self, table: pa.Table, number: int, run: Run) -> None:
        """Add an observation, and draw the map where that costs next to nothing."""
        if self.map:
            self._guarded(lambda: self._draw(table, number, run))

    def _guarded(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception as error:  # a decoration, whatever goes wrong in it
            self.map = None
            say(
                "note: no live map from here on ({error}: {reason})",
                error=type(error).__name__,
                reason=str(error).partition("\n")[0],
            )

    def _begin(self, run: Run, training: PreparedTraining) -> None:
        self.map = LiveMap(len(training.data.samples), say, run.language)
        if training.start.checkpoint:
            for number, parts in sorted(signals_of(run).items()):
                if number <= training.start.checkpoint.number:
                    self.map.add(shards.read(run.artifacts, parts))

    def _draw(self, table: pa.Table, number: int, run: Run) -> None:
        assert self.map
        start = time.thread_time()
        self.map.add(table)
        picture = self.map.picture()
        if picture is not None:
            run.log_image(picture, f"{schema.MAPS_DIR}/data_map", schema.NEWEST_STEP)
            for step in (number,) if self.begun else (schema.NEWEST_STEP, number):
                run.log_image(picture, schema.FORMING_MAP, step)
            self.begun = True
            self.map.drawn(time.thread_time() - start)


def live_map(run: Run, training: PreparedTraining) -> LiveMapLogger | None:
    """Return the logger of the live map; None where it is turned off, or this process lacks some of the signals."""
    wanted = training.config.plot.live and training.processes.count == 1
    return LiveMapLogger(run, training) if wanted else None
