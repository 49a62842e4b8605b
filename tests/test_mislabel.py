"""Scores of wrong labels: what they rank first, their ranges, and cleanlab and scikit-learn as second opinions."""

import numpy as np
import pytest
from cleanlab.rank import get_label_quality_scores
from hypothesis import given
from hypothesis import strategies as st

from datamap.errors import SignalError
from datamap.labels import mislabel
from datamap.signals import compute
from datamap.summaries import dynamics


def evidence_of(probs, labels, held_out=None, **more):
    """`Evidence` of probabilities (T, N, C), by plain loops."""
    probs, labels = np.asarray(probs, float), np.asarray(labels)
    correct = probs.argmax(axis=2) == labels
    p = probs[:, np.arange(len(labels)), labels]
    others = np.array([[max(np.delete(row, y)) for row, y in zip(o, labels, strict=True)] for o in probs])
    geometric = np.exp(np.log(np.maximum(probs, 1e-300)).mean(axis=0))
    return mislabel.Evidence(
        labels=labels,
        wrong=(~correct).sum(axis=1),
        avg_probs=p.mean(axis=0),
        correct_times=correct.sum(axis=0),
        forgetting_times=dynamics.forgetting_times(correct),
        margin_mean=(np.log(p + 1e-300) - np.log(others + 1e-300)).mean(axis=0),
        probs=probs.mean(axis=0),
        pooled=geometric / geometric.sum(axis=1, keepdims=True),
        held_out=held_out,
        **more,
    )


def random_evidence(samples=60, classes=3, seed=0, held_out=True, **more):
    generator = np.random.default_rng(seed)
    probs = generator.dirichlet(np.ones(classes), (4, samples))
    labels = generator.integers(0, classes, samples)
    unseen = generator.dirichlet(np.ones(classes), samples) if held_out else None
    return evidence_of(probs, labels, unseen, **more)


@given(st.integers(1, 40), st.integers(2, 5), st.integers(0, 10**6), st.booleans())
def test_every_score_is_in_0_to_1_whatever_the_numbers(samples, classes, seed, held_out):
    known = random_evidence(samples, classes, seed, held_out)
    for name, score in mislabel.SCORES.items():
        if name != "confident_learning":  # below: cleanlab wants all classes among the labels
            values = score(known)
            assert values.shape == (samples,)
            assert ((values >= 0) & (values <= 1)).all(), name


@pytest.mark.parametrize("name", mislabel.SCORES)
def test_a_flipped_label_scores_highest(name):
    """Nine samples that the model gets right throughout, and one whose label it never agrees with."""
    sure = np.array([[0.95, 0.05], [0.05, 0.95]])
    labels = np.array([0, 1] * 5)
    truth = labels.copy()
    truth[3] = 0
    probs = np.stack([sure[truth]] * 4)
    scores = mislabel.SCORES[name](evidence_of(probs, labels, sure[truth]))
    assert scores.argmax() == 3
    assert scores[3] > 0.5 > np.delete(scores, 3).max()


@pytest.mark.parametrize("name", mislabel.SCORES)
def test_scores_do_not_depend_on_the_order_of_samples(name):
    known = random_evidence()
    order = np.random.default_rng(1).permutation(60)
    mixed = {
        k: v[order] if isinstance(v, np.ndarray) and len(v) == 60 else v for k, v in known._asdict().items()
    }
    again = mislabel.SCORES[name](mislabel.Evidence(**mixed))
    assert again == pytest.approx(mislabel.SCORES[name](known)[order])


def test_class_adjusted_is_what_cleanlab_takes_its_margin_of():
    known = random_evidence(200, 4)
    expected = get_label_quality_scores(
        known.labels, known.held_out, method="normalized_margin", adjust_pred_probs=True
    )
    adjusted = mislabel.class_adjusted(known.held_out, known.labels)
    assert (1 + mislabel.label_margin(adjusted, known.labels)) / 2 == pytest.approx(expected)
    assert mislabel.confident_learning(known) == pytest.approx(1 - expected)


def test_class_adjusted_does_without_a_class_that_no_label_names():
    probs = np.full((4, 3), 1 / 3)
    assert mislabel.class_adjusted(probs, np.array([0, 0, 1, 1])) == pytest.approx(probs)


def test_a_class_of_many_wrong_labels_does_not_look_worse_than_it_is():
    """Each class's model is sure to another degree: 0.9 and 0.6 are both what is usual there."""
    probs = np.array([[0.9, 0.1]] * 5 + [[0.4, 0.6]] * 5)
    labels = np.array([0] * 5 + [1] * 5)
    scores = mislabel.combined(evidence_of([probs], labels, probs))
    plain = 1 - probs[np.arange(10), labels]
    assert scores[5] - scores[0] < plain[5] - plain[0]


def test_one_sure_no_counts_more_than_many_doubts():
    """In the geometric mean 0.001 and 0.9 are less than 0.4 and 0.4; in the arithmetic one they are more."""
    of_label = np.array([[0.001, 0.4], [0.9, 0.4]])
    probs = np.stack([of_label, 1 - of_label], axis=2)
    scores = mislabel.combined(evidence_of(probs, [0, 0], np.full((2, 2), 0.5)))
    assert scores[0] > scores[1]


def test_combined_without_probabilities_is_confidence():
    known = random_evidence()._replace(probs=None, pooled=None, held_out=None, margin_mean=None)
    assert mislabel.distribution(known) is None
    assert mislabel.combined(known) == pytest.approx(1 - known.avg_probs)
    with pytest.raises(SignalError, match="score=aum needs the probabilities of all classes"):
        mislabel.aum(known)


def test_aum_is_one_half_at_the_threshold_samples_99th_percentile():
    known = random_evidence(threshold_margins=np.arange(101.0) - 100)
    at = known._replace(margin_mean=np.full(60, -1.0))  # the 99th percentile of −100 … 0
    assert mislabel.aum(at) == pytest.approx(0.5)
    assert mislabel.aum(known._replace(threshold_margins=None, margin_mean=np.zeros(60))) == pytest.approx(
        0.5
    )


def test_forgetting_puts_the_never_learnt_first():
    correct = np.array([[0, 1, 1, 1], [0, 0, 0, 1], [0, 1, 1, 1], [0, 0, 1, 1]], bool)
    probs = np.where(correct[..., None], [0.9, 0.1], [0.1, 0.9])
    scores = mislabel.forgetting(evidence_of(probs, np.zeros(4, int)))
    assert scores.tolist() == [1.0, pytest.approx(2 / 3), pytest.approx(1 / 3), 0.0]


def test_confident_learning_needs_folds():
    with pytest.raises(SignalError, match=r"train with data\.folds=5"):
        mislabel.confident_learning(random_evidence(held_out=False))


def test_precision_at_counts_the_first():
    scores, positive = np.array([0.1, 0.9, 0.8, 0.7]), np.array([True, True, False, True])
    assert mislabel.precision_at(scores, positive, 2) == 0.5
    assert mislabel.precision_at(scores, positive, 3) == pytest.approx(2 / 3)


def test_the_estimate_lies_between_what_late_and_early_models_contradict():
    """100 samples, 20 of them wrong: contradicted at first, learnt by heart at last."""
    labels = np.arange(100) % 2
    truth = np.where(np.arange(100) < 20, 1 - labels, labels)
    sure = np.array([[0.9, 0.1], [0.1, 0.9]])
    probs = np.stack([sure[truth], sure[truth], sure[truth], sure[labels]])
    about = mislabel.estimate(evidence_of(probs, labels))
    assert about.estimate == 20
    assert (about.low, about.high) == (0, 20 + int(1.645 * np.sqrt(20)))
    late = mislabel.estimate(evidence_of(probs[:3], labels))
    assert (late.low, late.high) == (20 - int(1.645 * np.sqrt(20)), 20 + int(1.645 * np.sqrt(20)))
    unseen = sure[np.where(np.arange(100) < 30, 1 - labels, labels)]
    assert mislabel.estimate(evidence_of(probs, labels, unseen)).high == 30 + int(1.645 * np.sqrt(30))


def test_the_margins_of_signals_are_those_of_the_evidence():
    known = random_evidence(10, 3)
    outputs = compute.Outputs(known.labels, None, known.probs, compute.log_of(known.probs))
    assert (
        np.sign(compute.margin(outputs)) == np.sign(mislabel.label_margin(known.probs, known.labels))
    ).all()
