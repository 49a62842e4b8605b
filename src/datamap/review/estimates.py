"""Estimate from decisions how good the score is, how many wrong labels remain, and when it pays to stop."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import numpy as np

from datamap.translations import word

FEW = 20  # with fewer decisions no estimate is made
AHEAD = 50  # number of next samples that the advice is about
WORTH = 0.1  # smallest probability of a wrong label at which a sample is worth a review
PAYS = 0.05  # share of wrong labels among the next samples below which it pays to stop
CHANCE = 0.9  # probability that the truth lies in a range
EDGE = 5e-5  # distance of clipped scores from 0 and 1, half of their last digit
BINS = np.linspace(-10, 10, 101)  # edges of the histogram of log-odds
SLOPE = 0.5  # prior standard deviation of the calibration's slope, around 1
OFFSET = 2.0  # prior standard deviation of its offset


class Estimates(NamedTuple):
    """Hold the estimates of the decisions so far; `precision` and `remaining` are None if nothing is known."""

    reviewed: int
    wrong: int
    suggested: int
    precision: dict[str, float] | None
    remaining: dict[str, float] | None
    advice: str


class ScoreCalibrator:
    """Calibrate the scores of N samples by decisions: learn the probability that a label is wrong, given its score.

    P(wrong) = sigmoid(a + b logit(score)), after Platt (1999). The prior of b is around 1, and that of a around the
    value at which as many labels are wrong as `diagnose` estimates (0 without an estimate).
    """

    def __init__(self, scores: np.ndarray, estimate: Mapping[str, Any] | None) -> None:
        clipped = scores.astype(np.float64).clip(EDGE, 1 - EDGE)
        self.odds = np.log(clipped / (1 - clipped)).astype(np.float32)
        self.counts = np.histogram(self.odds, BINS)[0]
        known = estimate is not None and estimate["known"]
        self.prior = self._offset(max(1.0, float(estimate["count"]))) if estimate and known else 0.0

    def estimate(
        self, order: np.ndarray, reviewed: Collection[int], verdicts: Mapping[int, bool], lang: str
    ) -> Estimates:
        """Return the estimates of the decisions so far.

        Args:
            order: all rows in the order in which they are reviewed.
            reviewed: rows on which anybody decided.
            verdicts: {row: true if its label is wrong} of those that somebody is sure of.
            lang: language of the advice, "en" or "zh".
        """
        rows = np.fromiter(verdicts, np.int64, len(verdicts))
        wrong = np.fromiter(verdicts.values(), bool, len(verdicts))
        enough = len(wrong) >= FEW
        line, spread = (
            self._fit(self.odds[rows].astype(float), wrong) if enough else ((self.prior, 1.0), None)
        )
        left = self.counts - np.histogram(self.odds[list(reviewed)], BINS)[0]
        probs = _sigmoid(line[0] + line[1] * MIDDLES)
        first = order[: len(reviewed) + AHEAD]
        ahead = first[~np.isin(first, list(reviewed))][:AHEAD]
        expected = float(_sigmoid(line[0] + line[1] * self.odds[ahead].astype(float)).sum())
        return Estimates(
            len(reviewed),
            int(wrong.sum()),
            len(reviewed) + int(left[probs >= WORTH].sum()),
            precision(int(wrong.sum()), len(wrong)),
            _remaining(line, spread, left) if enough else None,
            _advice(len(wrong), expected, len(ahead), lang),
        )

    def _offset(self, count):
        """Return the offset a at which `count` labels are expected to be wrong if b = 1."""
        from scipy.optimize import brentq

        total = self.counts.sum()
        return float(
            brentq(lambda a: (self.counts * _sigmoid(a + MIDDLES)).sum() - min(count, 0.9 * total), -30, 30)
        )

    def _fit(self, odds, wrong):
        """Return the most likely (a, b) after the decisions, and their covariance by Laplace's approximation."""
        from scipy.optimize import minimize

        start, weights = np.array([self.prior, 1.0]), np.array([OFFSET, SLOPE]) ** -2.0
        signs = np.where(wrong, 1.0, -1.0)

        def loss(line):
            return (
                np.logaddexp(0, -signs * (line[0] + line[1] * odds)).sum() + weights @ (line - start) ** 2 / 2
            )

        line = minimize(loss, start, method="BFGS").x
        probs = _sigmoid(line[0] + line[1] * odds)
        inputs = np.stack([np.ones(len(odds)), odds])
        curvature = (inputs * (probs * (1 - probs))) @ inputs.T + np.diag(weights)
        return line, np.linalg.inv(curvature)


MIDDLES = (BINS[:-1] + BINS[1:]) / 2


def precision(wrong: int, sure: int) -> dict[str, float] | None:
    """Return the share of wrong labels among those decided, with Wilson's interval (1927); None without decisions.

    >>> {name: round(value, 3) for name, value in precision(8, 10).items()}
    {'value': 0.8, 'low': 0.541, 'high': 0.931}
    """
    if not sure:
        return None
    from scipy.stats import binomtest

    interval = binomtest(wrong, sure).proportion_ci(CHANCE, method="wilson")
    return {"value": wrong / sure, "low": float(interval.low), "high": float(interval.high)}


def _remaining(line, spread, left):
    """Return the estimated number of wrong labels among unreviewed samples, with a range of probability `CHANCE`.

    Draw 200 calibration lines from their distribution, and for each the number of wrong labels.
    """
    random = np.random.default_rng(0)
    lines = random.multivariate_normal(line, spread, 200)
    probs = _sigmoid(lines[:, :1] + lines[:, 1:] * MIDDLES)
    counts = random.binomial(left, probs).sum(axis=1)
    low, high = np.quantile(counts, [(1 - CHANCE) / 2, (1 + CHANCE) / 2])
    about = float((left * _sigmoid(line[0] + line[1] * MIDDLES)).sum())
    return {"estimate": round(about), "low": round(float(low)), "high": round(float(high))}


def _advice(sure, expected, ahead, lang):
    if not ahead:
        return word("Everything is reviewed.", lang)
    if sure < FEW:
        return word("Review {n} more to learn how far the score can be trusted.", lang, n=FEW - sure)
    text = (
        "Continue: about {count} of the next {n} labels are wrong."
        if expected >= PAYS * ahead
        else "You can stop: only about {count} of the next {n} labels are wrong."
    )
    return word(text, lang, n=ahead, count=round(expected))


def _sigmoid(values):
    from scipy.special import expit

    return expit(values)
