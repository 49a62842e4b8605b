"""Draw the map of the observations so far while training runs, as long as that takes little time."""

import time
from collections.abc import Callable

import numpy as np
import pandas as pd
import pyarrow as pa

from datamap.maps.options import MapOptions
from datamap.translations import translate

SHARE = 0.02  # of training's time that drawing may take


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


class LiveMap:
    """Draw the map after an observation, unless that would take more than `SHARE` of the time since the last map.

    The cost is measured: first with a map of the same size that is thrown away, then with every map.

    Args:
        samples: number of samples on the map.
        say: prints a line for the user.
        since: when training began, by `time.monotonic`.
        lang: of the map, "en" or "zh".
        unit: what a mark is: "sample", "token" or "label".
    """

    def __init__(
        self, samples: int, say: Callable[[str], object], since: float, lang: str = "en", unit: str = "sample"
    ) -> None:
        self.say, self.since, self.lang, self.unit, self.said = say, since, lang, unit, False
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
                slow = translate(
                    "note: drawing the map takes {cost:.1f} s, more than {share:.0%} of an epoch, so some epochs "
                    "have no live map; plot.live=false turns live maps off",
                    cost=self.cost,
                    share=SHARE,
                )
                self.say(slow)
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
