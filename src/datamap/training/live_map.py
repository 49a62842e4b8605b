"""Draw the map of the observations so far into the run's image series, as long as that takes little time."""

import time

import numpy as np
import pandas as pd
import pyarrow as pa

from datamap import schema
from datamap.errors import reason
from datamap.log import say
from datamap.maps.options import MapOptions
from datamap.recording.stored_signals import signals_of
from datamap.signals import shards
from datamap.tasks.definitions import DEFINITIONS
from datamap.tracking.run import Run
from datamap.training.preparation import PreparedTraining

SHARE = 0.02  # of training's time that drawing may take


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

    def _before(self, run: Run) -> "LiveMap":
        """Return the map of the observations that a resumed run had."""
        training = self.training
        unit = DEFINITIONS[training.data.samples.task].row
        made = LiveMap(training.trainer.labels.size, self.since, run.language, unit)
        if training.checkpoint:
            for number, parts in sorted(signals_of(run).items()):
                if number <= training.checkpoint.number:
                    made.add(shards.read(run.artifacts, parts))
        return made

    def _draw(self, live: "LiveMap", table: pa.Table, number: int, run: Run) -> None:
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


class LiveMap:
    """Draw the map after an observation, unless that would take more than `SHARE` of the time since the last map.

    The cost is measured: first with a map of the same size that is thrown away, then with every map.

    Args:
        samples: number of samples on the map.
        since: when training began, by `time.monotonic`.
        lang: of the map, "en" or "zh".
        unit: what a mark is: "sample", "token" or "label".
    """

    def __init__(self, samples: int, since: float, lang: str = "en", unit: str = "sample") -> None:
        self.since, self.lang, self.unit, self.said = since, lang, unit, False
        self.summary = RunningSummary()
        values = np.linspace(0, 1, samples)
        self.cost = 0.0
        for _ in range(2):  # the first map also loads fonts
            start = time.thread_time()
            self._draw(pd.DataFrame({"avg_probs": values, "label_var": values / 4, "correct_ratio": values}))
            self.cost = time.thread_time() - start

    def add(self, table: pa.Table) -> None:
        """Add an observation: the Arrow table of its signals."""
        self.labels = np.asarray(table["label"])
        self.summary.add(np.asarray(table["label_probs"], np.float64), np.asarray(table["correct"], bool))

    def picture(self, always: bool = False) -> np.ndarray | None:
        """Draw the map of the observations so far as uint8 (height, width, 3); None if it would take too long."""
        passed = time.monotonic() - self.since
        if self.cost > SHARE * passed and not always:
            if not self.said:
                say(
                    "note: drawing the map takes {cost:.1f} s, more than {share:.0%} of an epoch, so some epochs "
                    "have no live map; plot.live=false turns live maps off",
                    cost=self.cost,
                    share=SHARE,
                )
            self.said = True
            return None
        return self._draw(self.summary.frame().assign(label=self.labels))

    def record_cost(self, seconds: float) -> None:
        """Record the seconds that drawing and logging the last picture took."""
        self.cost, self.since = seconds, time.monotonic()

    def _draw(self, frame):
        from datamap.maps import canvas, cards

        observations = max(1, self.summary.count)
        card = cards.draw_card(frame, MapOptions(lang=self.lang), observations=observations, unit=self.unit)
        return canvas.pixels(card)


class RunningSummary:
    """Update mean and variance of label_probs, and correct_ratio, without keeping the observations (Welford 1962)."""

    def __init__(self) -> None:
        self.count = 0

    def add(self, label_probs: np.ndarray, correct: np.ndarray) -> None:
        """Add an observation: arrays (samples,), always of the same samples in the same order."""
        if not self.count:
            self._mean, self._squares = np.zeros(len(label_probs)), np.zeros(len(label_probs))
            self._right = np.zeros(len(label_probs))
        self.count += 1
        before = label_probs - self._mean
        self._mean += before / self.count
        self._squares += before * (label_probs - self._mean)
        self._right += correct

    def frame(self) -> pd.DataFrame:
        """Return a DataFrame with the columns that a map needs."""
        return pd.DataFrame(
            {
                "avg_probs": self._mean,
                "label_var": self._squares / self.count,
                "correct_ratio": self._right / self.count,
            }
        )
