"""Estimate the share of labels that are wrong at random, from their agreement with predictions at each confidence."""

from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from datamap.labels.witnesses import part_of

MAX_CELLS = 20_000_000  # largest product of rows and parameters in a fit; more rows are sampled
MAX_CLASSES = 200  # largest number of classes with their own parameters; rarer classes share theirs
MIN_PROB = 1e-6  # of a prediction being right, and of its being wrong
# Mean and standard deviation of what is known before any label is seen. A witness learns from wrong labels too, so that
# its logits are too small; about 10 % of the labels may be wrong, or 4 %, or 24 %.
SLOPE, ERRORS = (np.log(1.6), 0.5), (np.log(0.1 / 0.9), 1.0)
SHIFT, SHIFT_OF_CLASS, ERRORS_OF_CLASS, LUCK_OF_CLASS = 1.0, 1.0, 0.7, 1.0  # standard deviations around 0


class ErrorRate(NamedTuple):
    """Describe the share of labels that are wrong at random.

    Attributes:
        share: the most likely one, in [0, 1].
        deviation: its standard deviation, from the labels alone.
        slope: factor by which the witnesses' logits would grow without wrong labels; near 1 if none contradict
            confident predictions.
    """

    share: float
    deviation: float
    slope: float


def fit(probs: np.ndarray, labels: np.ndarray) -> ErrorRate:
    """Fit the share of wrong labels to how often given labels agree with predictions of models that never saw them.

    Let k be the predicted class of a sample and z the logit of its probability. The prediction is right with
    probability s; the given label then is another one with probability e_k, the share of wrong labels. Where the
    prediction is wrong, the given label is k only by chance, with probability d_k:

        P(y = k) = (1 − e_k) s + d_k (1 − s),  s = 1 / (1 + exp(−(a z + b + b_k)))

    This is the four-parameter logistic model of item response theory (Barton and Lord 1981). Where the model is most
    confident, s is near 1, and agreement near 1 − e_k. In contrast to a count among the most confident predictions,
    which takes the errors of a weak model for wrong labels, the curve says how many of its predictions are wrong there,
    and all samples count. The parameters are those of the largest posterior density: ln a, b, b_k, and the logits of
    e_k and d_k, each normal around a common value. The deviation of the share Σ f_k e_k, with the frequencies f_k of
    predictions, is from their information matrix.

    Args:
        probs: (N, C), distributions over classes from models that never saw the labels.
        labels: int (N,), the given labels.

    >>> rng = np.random.default_rng(0)
    >>> right = rng.random(2000) < 0.5
    >>> probs = np.where(right[:, None], [0.05, 0.95], [0.95, 0.05])
    >>> found = fit(probs, (right ^ (rng.random(2000) < 0.2)).astype(int))
    >>> bool(0.1 < found.share < 0.25)
    True
    """
    from scipy.optimize import minimize

    rows = part_of(np.arange(len(labels)), MAX_CELLS // (3 + 3 * min(probs.shape[1], MAX_CLASSES)))
    model = _Agreement(probs[rows], labels[rows])
    with threadpool_limits(1, "blas"):  # threads mostly wait for each other
        best = minimize(model.loss, model.mean, jac=True, method="L-BFGS-B", options={"maxiter": 300}).x
        information = model.information(best)
    errors, slopes = model.errors(best), np.zeros(len(best))
    slopes[model.of_errors] = model.frequencies * errors * (1 - errors)
    slopes[2] = slopes[model.of_errors].sum()
    deviation = np.sqrt(slopes @ np.linalg.solve(information, slopes))
    return ErrorRate(float(model.frequencies @ errors), float(deviation), float(np.exp(best[0])))


class _Agreement:
    """Hold the model of agreement; its parameters are [ln a, b, logit e, b_1 … b_C, e's of classes, d's of classes]."""

    def __init__(self, probs, labels):
        from scipy.special import logit

        self.rows, predicted = np.arange(len(labels)), probs.argmax(axis=1)
        self.logits = logit(np.clip(probs[self.rows, predicted], MIN_PROB, 1 - MIN_PROB))
        self.agrees, self.others = labels == predicted, max(probs.shape[1] - 1, 1)
        ranks = np.argsort(np.argsort(-np.bincount(predicted, minlength=probs.shape[1]), kind="stable"))
        self.classes = classes = min(probs.shape[1], MAX_CLASSES)
        self.predicted = np.minimum(ranks[predicted], classes - 1)
        self.frequencies = np.bincount(self.predicted, minlength=classes) / len(labels)
        self.of_errors = slice(3 + classes, 3 + 2 * classes)
        self.mean = np.zeros(3 + 3 * classes)
        self.mean[[0, 2]] = SLOPE[0], ERRORS[0]
        of_class = np.repeat([SHIFT_OF_CLASS, ERRORS_OF_CLASS, LUCK_OF_CLASS], classes)
        self.precision = np.concatenate([[SLOPE[1], SHIFT, ERRORS[1]], of_class]) ** -2.0

    def errors(self, values):
        """Return e_k (C,), how often labels of samples of class k are wrong."""
        from scipy.special import expit

        return expit(values[2] + values[self.of_errors])

    def agreement(self, values):
        """Return P(y = k) (N,), and its derivatives by [ln a, b, logit e_k, logit d_k, the common logit] (5, N)."""
        from scipy.special import expit, logit

        k, classes = self.predicted, self.classes
        common = expit(values[2]) / self.others  # a wrong label is any other class
        wrong = self.errors(values)[k]
        lucky = expit(logit(common) + values[3 + 2 * classes :])[k]
        right = expit(np.exp(values[0]) * self.logits + values[1] + values[3 : 3 + classes][k])
        by_logit = (1 - wrong - lucky) * right * (1 - right)
        by_wrong, by_lucky = -right * wrong * (1 - wrong), (1 - right) * lucky * (1 - lucky)
        by_common = by_wrong + by_lucky * (1 - expit(values[2])) / (1 - common)
        slopes = [by_logit * self.logits * np.exp(values[0]), by_logit, by_wrong, by_lucky, by_common]
        return np.clip((1 - wrong) * right + lucky * (1 - right), MIN_PROB, 1 - MIN_PROB), slopes

    def loss(self, values):
        """Return (negative log posterior density per row, its gradient)."""
        p, (slope, shift, wrong, lucky, common) = self.agreement(values)
        pull = np.where(self.agrees, 1 / p, -1 / (1 - p))
        sums = [
            np.bincount(self.predicted, pull * by, minlength=self.classes) for by in (shift, wrong, lucky)
        ]
        gradient = np.concatenate([[pull @ slope, pull @ shift, pull @ common], *sums])
        away = values - self.mean
        loss = 0.5 * (self.precision * away**2).sum() - np.log(np.where(self.agrees, p, 1 - p)).sum()
        return loss / len(p), (self.precision * away - gradient) / len(p)

    def information(self, values):
        """Return the expected information of the parameters, with that of what was known before."""
        p, (slope, shift, wrong, lucky, common) = self.agreement(values)
        by = np.zeros((len(p), len(values)))
        by[:, 0], by[:, 1], by[:, 2] = slope, shift, common
        for place, found in enumerate((shift, wrong, lucky)):
            by[self.rows, 3 + place * self.classes + self.predicted] = found
        return (by / (p * (1 - p))[:, None]).T @ by + np.diag(self.precision)
