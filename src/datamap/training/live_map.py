"""Draw the map of the observations so far into the run's image series during training."""

import time

import pyarrow as pa

from datamap import schema
from datamap.errors import reason
from datamap.log import say
from datamap.maps.live import LiveMap
from datamap.recording.stored_signals import signals_of
from datamap.signals import shards
from datamap.tasks.definitions import DEFINITIONS
from datamap.tracking.run import Run
from datamap.training.preparation import PreparedTraining


class LiveMapLogger:
    """Draw the map so far into the run, in the outbox's thread; training goes on if that fails."""

    def __init__(self, training: PreparedTraining) -> None:
        self.training = training
        self.since = time.monotonic()
        self.map: LiveMap | None = None
        self.failed = False
        # True if the series FORMING_MAP has a picture, which begins with the second observation.
        self.begun = len(training.start.committed) > 1

    def draw(self, table: pa.Table, number: int, run: Run) -> None:
        """Add an observation, and draw the map unless that would slow training down; the last one is always drawn."""
        if self.failed:
            return
        try:
            self.map = self.map or self._before(run)
            self._draw(self.map, table, number, run)
        except Exception as error:  # no error of a decoration may end a training
            self.failed = True
            say(
                "note: live maps stop here ({error}: {reason})",
                error=type(error).__name__,
                reason=reason(error),
            )

    def _before(self, run: Run) -> LiveMap:
        """Return the map of the observations that a resumed run had."""
        training = self.training
        unit = DEFINITIONS[training.data.samples.task].row
        made = LiveMap(training.trainer.labels.size, say, self.since, run.language, unit)
        if training.checkpoint:
            for number, parts in sorted(signals_of(run).items()):
                if number <= training.checkpoint.number:
                    made.add(shards.read(run.artifacts, parts))
        return made

    def _draw(self, live: LiveMap, table: pa.Table, number: int, run: Run) -> None:
        start = time.thread_time()
        live.add(table)
        picture = live.picture(always=number == self.training.last)
        if picture is not None:
            from datamap.maps.cards import PIXELS

            run.log_image(picture, f"{schema.MAPS_DIR}/data_map", schema.NEWEST_STEP, PIXELS)
            if live.summary.count > 1:  # nothing varies in a single observation: all samples are at x = 0
                for step in (number,) if self.begun else (schema.NEWEST_STEP, number):
                    run.log_image(picture, schema.FORMING_MAP, step, PIXELS)
                self.begun = True
            live.record_cost(time.thread_time() - start)
