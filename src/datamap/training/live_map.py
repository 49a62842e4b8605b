"""Draw the map so far into the run's image series while training goes on."""

import time
from collections.abc import Callable

import pyarrow as pa

from datamap import schema
from datamap.log import say
from datamap.maps.live import LiveMap
from datamap.signals import shards
from datamap.signals.stored import signals_of
from datamap.tasks.definitions import DEFINITIONS
from datamap.tracking.run import Run
from datamap.training.preparation import PreparedTraining


class LiveMapLogger:
    """Draw the map so far into the run; training goes on if that fails."""

    def __init__(self, run: Run, training: PreparedTraining) -> None:
        self.map: LiveMap | None = None
        self.last = training.last
        # True if the series FORMING_MAP has a picture, which begins with the second observation.
        self.begun = len(training.start.committed) > 1
        self._guarded(lambda: self._begin(run, training))

    def draw(self, table: pa.Table, number: int, run: Run) -> None:
        """Add an observation, and draw the map unless that would slow training down; the last one is always drawn."""
        if self.map:
            self._guarded(lambda: self._draw(table, number, run))

    def _guarded(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception as error:  # no error of a decoration may end a training
            self.map = None
            say(
                "note: no live map from here on ({error}: {reason})",
                error=type(error).__name__,
                reason=str(error).partition("\n")[0],
            )

    def _begin(self, run: Run, training: PreparedTraining) -> None:
        unit = DEFINITIONS[training.data.samples.task].row
        self.map = LiveMap(training.trainer.labels.size, say, run.language, unit)
        if training.checkpoint:
            for number, parts in sorted(signals_of(run).items()):
                if number <= training.checkpoint.number:
                    self.map.add(shards.read(run.artifacts, parts))

    def _draw(self, table: pa.Table, number: int, run: Run) -> None:
        assert self.map
        start = time.thread_time()
        self.map.add(table)
        picture = self.map.picture(whatever_it_costs=number == self.last)
        if picture is not None:
            from datamap.maps.cards import PIXELS

            run.log_image(picture, f"{schema.MAPS_DIR}/data_map", schema.NEWEST_STEP, PIXELS)
            if self.map.summary.count > 1:  # nothing varies in a single observation: all samples are at x = 0
                for step in (number,) if self.begun else (schema.NEWEST_STEP, number):
                    run.log_image(picture, schema.FORMING_MAP, step, PIXELS)
                self.begun = True
            self.map.drawn(time.thread_time() - start)
