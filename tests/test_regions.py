"""Where regions meet: the same sense with two and with many classes, after few and after many observations."""

import numpy as np
import pandas as pd
import pytest

from datamap.maps import regions


def ensure_summary(classes, observations, samples=2000):
    """Samples of four kinds, as a model with that many classes and observations sees them; and the kinds."""
    kinds = np.arange(samples) % 10  # 0 noisy, 1 hard, 2 ambiguous, else easy
    t = np.arange(1, observations + 1)[:, None] / observations
    learned = 1 - (1 - 1 / classes) * np.exp(-6 * t)  # from chance to sure, soon
    swings = np.where(np.arange(observations)[:, None] % 2, 0.95, 0.05)
    guess = np.sqrt(0.5 / classes)
    p = np.select(
        [kinds == 0, kinds == 1, kinds == 2],
        [0.2 * guess + 0 * t, 0.7 * guess + 0 * t, swings + 0 * t],
        learned,
    )
    frame = {
        "label": np.arange(samples) // 10 % classes,
        "avg_probs": p.mean(axis=0),
        "label_var": p.var(axis=0),
    }
    return pd.DataFrame(frame), np.select([kinds == 0, kinds == 1, kinds == 2], [3, 2, 1], 0)


@pytest.mark.parametrize("classes", [2, 10, 100])
@pytest.mark.parametrize("observations", [5, 10, 30])
def test_relative_borders_mean_the_same(classes, observations):
    summary, kinds = ensure_summary(classes, observations)
    assert (regions.assign(summary, regions.relative_limits(summary)) == kinds).all()


def test_two_classes_that_are_learnt_at_once_have_the_absolute_borders():
    summary = pd.DataFrame({"label": [0, 1], "avg_probs": [0.9, 0.9], "label_var": [0.0, 0.0]})
    assert regions.relative_limits(summary) == pytest.approx(regions.LIMITS)
    nothing_learnt = summary.assign(avg_probs=0.1)
    assert regions.relative_limits(nothing_learnt) == pytest.approx(regions.LIMITS)
