"""The map so far, while training goes on: a running summary, drawn as long as that costs next to nothing."""

import time

import numpy as np
import pandas as pd

SHARE = 0.02  # of training's time that drawing may take


class RunningSummary:
    """Mean and variance of label_probs, and correct_ratio, without keeping the observations (Welford 1962)."""

    def __init__(self):
        self.count = 0

    def add(self, label_probs, correct):
        """One more observation: arrays (samples,), always of the same samples in the same order."""
        if not self.count:
            self._mean, self._squares = np.zeros(len(label_probs)), np.zeros(len(label_probs))
            self._right = np.zeros(len(label_probs))
        self.count += 1
        before = label_probs - self._mean
        self._mean += before / self.count
        self._squares += before * (label_probs - self._mean)
        self._right += correct

    def frame(self):
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

    What it costs is measured: first on a map of the same size that nobody sees, then each time.
    """

    def __init__(self, samples, title, say):
        self.title, self.say, self.said = title, say, False
        self.summary = RunningSummary()
        values = np.linspace(0, 1, samples)
        for _ in range(2):  # the first time fonts are looked up
            start = time.thread_time()
            self._draw(pd.DataFrame({"avg_probs": values, "label_var": values / 4, "correct_ratio": values}))
            self.cost = time.thread_time() - start
        self.since = time.monotonic()

    def add(self, table):
        """Take in an observation: the arrow table of its signals."""
        self.summary.add(np.asarray(table["label_probs"], np.float64), np.asarray(table["correct"], bool))

    def picture(self):
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
        return self._draw(self.summary.frame())

    def drawn(self, seconds):
        """Say what drawing and logging the last picture took."""
        self.cost, self.since = seconds, time.monotonic()

    def _draw(self, frame):
        from datamap.maps import figures

        return figures.pixels(
            figures.draw_map(frame, title=self.title, observations=max(1, self.summary.count), dpi=100)
        )
