"""The map so far, while training goes on: a running summary, drawn as long as that costs next to nothing."""

import time
from collections.abc import Callable

import numpy as np
import pandas as pd
import pyarrow as pa

from datamap.maps.options import MapOptions

SHARE = 0.02  # of training's time that drawing may take


class RunningSummary:
    """Mean and variance of label_probs, and correct_ratio, without keeping the observations (Welford 1962)."""

    def __init__(self) -> None:
        self.count = 0

    def add(self, label_probs: np.ndarray, correct: np.ndarray) -> None:
        """One more observation: arrays (samples,), always of the same samples in the same order."""
        if not self.count:
            self._mean, self._squares = np.zeros(len(label_probs)), np.zeros(len(label_probs))
            self._right = np.zeros(len(label_probs))
        self.count += 1
        before = label_probs - self._mean
        self._mean += before / self.count
        self._squares += before * (label_probs - self._mean)
        self._right += correct

    def frame(self) -> pd.DataFrame:
        """DataFrame with the columns that a map is drawn from."""
        return pd.DataFrame(
            {
                "avg_probs": self._mean,
                "label_var": self._squares / self.count,
                "correct_ratio": self._right / self.count,
            }
        )


class LiveMap:
    """Draws the map after an observation, unless that would cost more than `SHARE` of the time since the last.

    What it costs is measured: first on a map of the same size that nobody sees, then each time. Whatever goes wrong
    in drawing is said once, and there are no more maps: training goes on.
    """

    def __init__(self, samples: int, say: Callable[[str], object]) -> None:
        """
        Args:
            samples: how many the map will show.
            say: tells the user a line.
        """
        self.say, self.said, self.broken = say, False, False
        self.summary = RunningSummary()
        values = np.linspace(0, 1, samples)
        self.cost = 0.0
        for _ in range(2):  # the first time fonts are looked up
            start = time.thread_time()
            self._draw(pd.DataFrame({"avg_probs": values, "label_var": values / 4, "correct_ratio": values}))
            self.cost = time.thread_time() - start
        self.since = time.monotonic()

    def add(self, table: pa.Table) -> None:
        """Take in an observation: the arrow table of its signals."""
        self.labels = np.asarray(table["label"])
        self.summary.add(np.asarray(table["label_probs"], np.float64), np.asarray(table["correct"], bool))

    def picture(self) -> np.ndarray | None:
        """The map of the observations so far as uint8 (height, width, 3); None when it would cost too much."""
        passed = time.monotonic() - self.since
        if self.cost > SHARE * passed:
            if not self.said:
                self.say(
                    f"note: drawing the map takes {self.cost:.1f} s, more than {SHARE:.0%} of an epoch: "
                    "some epochs go without a live map (plot.live=false: all)"
                )
            self.said = True
            return None
        return self._draw(self.summary.frame().assign(label=self.labels))

    def drawn(self, seconds: float) -> None:
        """Say what drawing and logging the last picture took."""
        self.cost, self.since = seconds, time.monotonic()

    def _draw(self, frame):
        if self.broken:
            return None
        try:
            return _pixels(frame, max(1, self.summary.count))
        except Exception as error:  # a decoration may never end a training
            self.broken = True
            self.say(f"note: there are no live maps, as drawing failed: {type(error).__name__}: {error}")
            return None


def _pixels(frame, observations):
    from datamap.maps import canvas, cards

    return canvas.pixels(cards.draw_card(frame, MapOptions(), observations=observations))
