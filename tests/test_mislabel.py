"""Scores of wrong labels: what they rank first, their ranges, and cleanlab and scikit-learn as second opinions."""

import math

import numpy as np
import pytest
from cleanlab.rank import get_label_quality_scores
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from datamap.errors import SignalError
from datamap.labels import blocks, counting, error_rate, mislabel, most_confident, pool, relabeling
from datamap.summaries import dynamics


def evidence_of(probs, labels, held_out=None, **more):
    """`Evidence` of probabilities (T, N, C), by plain loops."""
    probs, labels = np.asarray(probs, float), np.asarray(labels)
    correct = probs.argmax(axis=2) == labels
    p = probs[:, np.arange(len(labels)), labels]
    others = np.array([[max(np.delete(row, y)) for row, y in zip(o, labels, strict=True)] for o in probs])
    evidence = mislabel.Evidence(
        labels=labels,
        wrong=(~correct).sum(axis=1),
        avg_probs=p.mean(axis=0),
        correct_times=correct.sum(axis=0),
        forgetting_times=dynamics.forgetting_times(correct),
        margin_mean=(np.log(p + 1e-300) - np.log(others + 1e-300)).mean(axis=0),
        mean=probs.mean(axis=0),
        held_out=held_out,
        **more,
    )
    return mislabel.with_posterior(evidence)


def random_evidence(samples=60, classes=3, seed=0, held_out=True, **more):
    generator = np.random.default_rng(seed)
    probs = generator.dirichlet(np.ones(classes), (4, samples))
    labels = generator.integers(0, classes, samples)
    unseen = generator.dirichlet(np.ones(classes), samples) if held_out else None
    return evidence_of(probs, labels, unseen, **more)


# What a run needs besides its own observations.
NEEDS_FOLDS = ("confident_learning",)
NEEDS_TEXTS = (
    "linear",
    "bigrams",
    "words",
    "neighbours",
    "overlap",
    "embeddings",
    "window",
    "sequence",
    "lexicon",
)


@given(st.integers(1, 40), st.integers(2, 5), st.integers(0, 10**6), st.booleans())
def test_every_score_is_in_0_to_1_whatever_the_numbers(samples, classes, seed, held_out):
    known = random_evidence(samples, classes, seed, held_out)
    for name, score in mislabel.SCORES.items():
        if name not in NEEDS_FOLDS + NEEDS_TEXTS:  # below: cleanlab wants all classes among the labels
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
    texts = dict.fromkeys(NEEDS_TEXTS, sure[truth])
    scores = mislabel.SCORES[name](evidence_of(probs, labels, sure[truth], witnesses=texts))
    assert scores.argmax() == 3
    assert scores[3] > 0.5 > np.delete(scores, 3).max()


@pytest.mark.parametrize("name", [name for name in mislabel.SCORES if name not in NEEDS_TEXTS])
def test_scores_do_not_depend_on_the_order_of_samples(name):
    known = random_evidence()
    order = np.random.default_rng(1).permutation(60)
    mixed = {
        k: v[order] if isinstance(v, np.ndarray) and len(v) == 60 else v for k, v in known._asdict().items()
    }
    again = mislabel.SCORES[name](mislabel.with_posterior(mislabel.Evidence(**mixed)))
    assert again == pytest.approx(mislabel.SCORES[name](known)[order], abs=1e-3)


def test_held_out_scores_are_cleanlabs_own():
    known = random_evidence(200, 4, witnesses={"linear": random_evidence(200, 4, seed=1).held_out})
    for score, probs in (
        (mislabel.confident_learning, known.held_out),
        (mislabel.SCORES["linear"], known.witnesses["linear"]),
    ):
        assert score(known) == pytest.approx(1 - get_label_quality_scores(known.labels, probs))


def test_a_witness_at_chance_has_no_vote():
    """Beside one that knows the labels, a guesser changes nothing, however sure it is."""
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 3, 900)
    knows = (
        0.25 + 0.25 * np.eye(3)[np.where(generator.random(900) < 0.8, labels, generator.integers(0, 3, 900))]
    )
    guesses = 0.02 + 0.94 * np.eye(3)[generator.integers(0, 3, 900)]
    both = mislabel.with_posterior(evidence_of([guesses], labels, guesses, witnesses={"linear": knows}))
    assert both.pool.weights["linear"] > 1
    assert both.pool.weights["folds"] < 0.05
    assert both.run_weights.confidence < 0.1
    alone = mislabel.with_posterior(evidence_of([guesses], labels, witnesses={"linear": knows}))
    assert mislabel.combined(both) == pytest.approx(mislabel.combined(alone), abs=0.05)


def test_what_is_memorized_has_no_vote():
    """A run that predicts all given labels tells nothing beyond them; the folds decide."""
    generator = np.random.default_rng(0)
    truth = generator.integers(0, 2, 600)
    labels = np.where(generator.random(600) < 0.1, 1 - truth, truth)
    sees = np.where(generator.random(600) < 0.85, truth, 1 - truth)
    memorized, witness = 0.01 + 0.98 * np.eye(2)[labels], 0.15 + 0.7 * np.eye(2)[sees]
    known = evidence_of([np.full((600, 2), 0.5), memorized, memorized, memorized], labels, witness)
    alone = roc_auc_score(labels != truth, 1 - witness[np.arange(600), labels])
    assert roc_auc_score(labels != truth, mislabel.combined(known)) > alone - 0.02


@pytest.mark.parametrize("accuracy", [0.6, 0.75])
def test_a_run_that_contradicts_wrong_labels_is_believed_however_weak_the_witnesses(accuracy):
    """A fine-tuned encoder knows most true classes; witnesses near chance show that, and must not outvote it."""
    generator = np.random.default_rng(0)
    truth = generator.integers(0, 2, 1500)
    labels = np.where(generator.random(1500) < 0.1, 1 - truth, truth)
    logits = np.where(truth == 1, 1, -1) * generator.normal(2, 1.2, 1500) + np.where(labels == 1, 0.7, -0.7)
    p = 1 / (1 + np.exp(-logits))
    sees = np.where(generator.random(1500) < accuracy, truth, 1 - truth)
    witness = 0.5 + (accuracy - 0.5) * np.where(np.eye(2)[sees] == 1, 1, -1)
    known = evidence_of([np.stack([1 - p, p], axis=1)], labels, witnesses={"linear": witness})
    wrong = labels != truth
    run, both = (roc_auc_score(wrong, score(known)) for score in (mislabel.confidence, mislabel.combined))
    assert both >= run - 0.02 > roc_auc_score(wrong, mislabel.SCORES["linear"](known)) + 0.1


def test_a_run_that_memorized_unequal_classes_leaves_the_witnesses_order():
    """Labels of the rare class are wrong more often; a run that repeats all labels must not hide that."""
    generator = np.random.default_rng(0)
    truth = (generator.random(2000) < 0.8).astype(int)
    labels = np.where(generator.random(2000) < 0.1, 1 - truth, truth)
    p = 1 / (1 + np.exp(-(1.2 + 1.5 * np.where(truth == 1, 1, -1) + generator.normal(0, 1, 2000))))
    memorized = 0.01 + 0.98 * np.eye(2)[labels]
    known = evidence_of([memorized] * 3, labels, witnesses={"linear": np.stack([1 - p, p], axis=1)})
    wrong, rows = labels != truth, np.arange(2000)
    alone = roc_auc_score(wrong, 1 - known.pool.probs[rows, labels])
    assert roc_auc_score(wrong, mislabel.combined(known)) > alone - 0.02


def test_a_run_that_memorized_does_not_count_for_finding_the_same_texts_hard():
    """Before it memorized all labels it knew what the witnesses know, and nothing that they do not."""
    generator = np.random.default_rng(0)
    truth = generator.integers(0, 2, 2000)
    labels = np.where(generator.random(2000) < 0.1, 1 - truth, truth)
    signs, hard = np.where(truth == 1, 1, -1), 1.2 * generator.normal(size=2000)
    sees = expit(1.5 * signs + hard + 0.5 * generator.normal(size=2000))
    early = expit(0.8 * (signs + hard + generator.normal(size=2000)) + np.where(labels == 1, 1, -1))
    witness, before = (np.stack([1 - p, p], axis=1) for p in (sees, early))
    memorized = 0.01 + 0.98 * np.eye(2)[labels]
    known = evidence_of([before, *[memorized] * 3], labels, witnesses={"linear": witness})
    wrong, rows = labels != truth, np.arange(2000)
    alone = roc_auc_score(wrong, 1 - known.pool.probs[rows, labels])
    assert roc_auc_score(wrong, mislabel.combined(known)) > alone - 0.01  # 0.952, and 0.919 if it counts


def test_where_only_witnesses_judge_scores_mean_what_they_say():
    """They were trained on wrong labels, too, and are less sure of given labels than of true ones."""
    generator = np.random.default_rng(0)
    truth = generator.integers(0, 2, 4000)
    labels = np.where(generator.random(4000) < 0.2, 1 - truth, truth)
    right = expit(np.where(truth == 1, 3, -3) + 2 * generator.normal(size=4000))
    sees = 0.2 + 0.6 * right  # how likely the given label is 1
    memorized = 0.01 + 0.98 * np.eye(2)[labels]
    known = evidence_of([memorized] * 3, labels, witnesses={"linear": np.stack([1 - sees, sees], axis=1)})
    wrong = labels != truth
    scores = mislabel.calibrate(mislabel.combined(known), wrong.sum())
    sure = scores > 0.8
    assert sure.sum() > 0.5 * wrong.sum()  # none if the witnesses are taken at their word
    assert wrong[sure].mean() > 0.85


def test_calibrated_scores_sum_to_the_number_of_wrong_labels_in_the_same_order():
    scores = np.random.default_rng(0).beta(1, 3, 500)
    for total in (0, 20, 250, 500):
        found = mislabel.calibrate(scores, total)
        assert found.sum() == pytest.approx(min(max(total, 0.5), 499.5))
        assert (np.argsort(found) == np.argsort(scores)).all()


def test_a_label_that_is_probably_wrong_has_a_proposal():
    """The posterior alone may see too few wrong labels, or too many; the score says how many there are."""
    known = evidence_of([np.full((2, 3), 1 / 3)], [0, 0])._replace(
        posterior=np.array([[0.6, 0.3, 0.1], [0.2, 0.3, 0.5]])
    )
    assert mislabel.proposals(known, None).tolist() == [0, 2]
    assert mislabel.proposals(known, np.array([0.8, 0.1])).tolist() == [1, 0]


def test_rows_are_judged_some_at_a_time(monkeypatch):
    whole = random_evidence(samples=100)
    sizes = []
    made = mislabel._proposed
    monkeypatch.setattr(mislabel, "_proposed", lambda *rows: sizes.append(len(rows[0])) or made(*rows))
    monkeypatch.setattr(blocks, "ROWS", 7)
    parts = random_evidence(samples=100)
    np.testing.assert_allclose(parts.pool.probs, whole.pool.probs, rtol=1e-12)
    np.testing.assert_allclose(parts.posterior, whole.posterior, rtol=1e-12)
    proposed = mislabel.proposals(parts, None)
    assert max(sizes) == 7
    monkeypatch.setattr(blocks, "ROWS", 100)
    assert (proposed == mislabel.proposals(whole, None)).all()


def test_the_pool_of_many_rows_is_fitted_to_a_part(monkeypatch):
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, 4000)
    mostly = np.where(random.random(4000) < 0.2, 1 - labels, labels)
    probs = {"right": np.eye(2)[mostly] * 0.6 + 0.2, "guess": random.dirichlet(np.ones(2), 4000)}
    whole = pool.pool_witnesses(probs, labels)
    monkeypatch.setattr(pool, "MAX_ROWS", 2000)
    part = pool.pool_witnesses(probs, labels)
    assert part.probs.shape == (4000, 2)
    np.testing.assert_allclose(part.probs, whole.probs, atol=0.05)


def test_a_run_without_witnesses_is_its_own():
    known = evidence_of(np.full((2, 2, 2), 0.5), [0, 0])
    assert known.pool is None
    assert known.posterior == pytest.approx(known.mean)


def test_combined_without_probabilities_is_confidence():
    known = random_evidence()._replace(mean=None, held_out=None, margin_mean=None, pool=None, posterior=None)
    known = mislabel.with_posterior(known)
    assert known.posterior is None
    assert mislabel.combined(known) == pytest.approx(1 - known.avg_probs)
    assert counting.estimate(known).high >= (known.avg_probs < 0.5).sum()
    with pytest.raises(SignalError, match="score=aum needs the probabilities of all classes"):
        mislabel.aum(known)


@pytest.mark.parametrize("name", NEEDS_TEXTS)
def test_scores_of_texts_need_texts(name):
    with pytest.raises(SignalError, match=f"score={name} needs (text|embeddings|tokens).* in the run"):
        mislabel.SCORES[name](random_evidence())


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


def judged(count, noise, accuracy, seed=0, classes=2):
    """(evidence with `noise` wrong labels, how many): one witness, right in `accuracy` of them, and surer there."""
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, classes, count)
    other = (truth + generator.integers(1, classes, count)) % classes
    labels = np.where(generator.random(count) < noise, other, truth)
    right = generator.random(count) < accuracy
    sureness = np.where(right, generator.beta(5, 1, count), generator.beta(1, 3, count))
    p = 1 / classes + (1 - 1 / classes) * 0.95 * sureness
    probs = np.full((count, classes), 1.0) * ((1 - p) / (classes - 1))[:, None]
    probs[np.arange(count), np.where(right, truth, other)] = p
    return evidence_of([np.full((count, classes), 1 / classes)], labels, probs), int((labels != truth).sum())


@pytest.mark.parametrize("classes", [2, 20])
@pytest.mark.parametrize("noise", [0.05, 0.1, 0.2])
def test_the_estimate_counts_random_wrong_labels(noise, classes):
    known, wrong = judged(3000, noise, 0.85, classes=classes)
    about = counting.estimate(known)
    assert about.known
    assert about.estimate == pytest.approx(wrong, rel=0.2)
    assert about.low - 0.01 * wrong <= wrong <= 1.01 * about.high
    assert about.high - about.low < 0.08 * 3000


def test_the_range_of_units_is_as_wide_as_their_estimate_was_off():
    known, _ = judged(3000, 0.1, 0.85)
    of_samples = counting.estimate(known)
    of_units = counting.estimate(known._replace(columns=np.zeros(3000, np.int64)))
    assert of_units.estimate == pytest.approx(of_samples.estimate, rel=0.15)
    assert of_units.low < of_samples.low and of_units.high > 2 * of_samples.high


def test_a_run_that_has_seen_the_labels_cannot_count_the_wrong_ones_alone():
    """It contradicts a right label too, until it has learned it."""
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, 1000)
    for right, why in ((0.95, "nothing"), (0.5, "unlearned")):
        said = np.where(generator.random((4, 1000)) < right, labels, 1 - labels)
        alone = evidence_of(0.05 + 0.9 * np.eye(2)[said], labels)
        assert counting.estimate(alone).unknown == why


def test_who_is_at_chance_or_has_no_weight_is_not_quoted():
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 3, 900)
    knows = 0.2 + 0.4 * np.eye(3)[np.where(generator.random(900) < 0.8, labels, 0)]
    guesses = 0.02 + 0.94 * np.eye(3)[generator.integers(0, 3, 900)]
    known = evidence_of([guesses], labels, guesses, witnesses={"linear": knows})
    assert mislabel.quotable_witnesses(known) == {"linear"}
    assert (
        mislabel.quotable_witnesses(evidence_of([guesses], labels)) == set()
    )  # alone, it weighs 1 all the same
    assert mislabel.beats_chance(knows, labels) and not mislabel.beats_chance(guesses, labels)


def test_what_nothing_predicts_cannot_be_counted():
    assert not counting.estimate(random_evidence(1000)).known
    half_wrong, _ = judged(1000, 0.45, 0.9)
    assert not counting.estimate(half_wrong).known


def relabeled(noise, accuracy):
    """(supported number, evidence, scores, proposals, estimate, truth) of 3,000 samples.

    One witness and a run judge them. The run has not memorized its labels.
    """
    known, _ = judged(3000, noise, accuracy, classes=5)
    truth = np.random.default_rng(0).integers(0, 5, 3000)  # as `judged` draws it
    generator = np.random.default_rng(1)
    said = np.where(generator.random(3000) < 0.93, truth, generator.integers(0, 5, 3000))
    known = evidence_of([0.02 + 0.9 * np.eye(5)[said]] * 3, known.labels, known.held_out)
    about = counting.estimate(known)
    scores = mislabel.calibrate(mislabel.combined(known), about.estimate)
    proposed = mislabel.proposals(known, scores)
    return relabeling.count_supported(known, scores, proposed, about), known, scores, proposed, about, truth


def test_sure_proposals_are_relabeled_and_make_more_labels_right():
    count, known, scores, proposed, about, truth = relabeled(0.15, 0.95)
    first = np.argsort(-scores, kind="stable")[:count]
    gain = (proposed[first] == truth[first]).sum() - (known.labels[first] == truth[first]).sum()
    assert count > 50 and gain > 0.8 * count
    changed = np.isin(np.arange(3000), first)
    said = relabeling.expected_right(scores, changed, about.low)
    assert said.low <= said.high <= said.before + count
    assert said.low - said.before <= gain


@pytest.mark.parametrize(
    ("what", "noise", "accuracy"),
    [("witnesses often wrong", 0.1, 0.6), ("hardly any wrong label", 0.0005, 0.9)],
)
def test_proposals_that_nothing_supports_replace_no_label(what, noise, accuracy):
    assert relabeled(noise, accuracy)[0] == 0, what


def test_no_label_is_replaced_where_the_number_is_unknown_or_vague_or_nobody_judges():
    count, known, scores, proposed, about, _ = relabeled(0.15, 0.95)
    assert count
    assert not relabeling.count_supported(known, scores, proposed, about._replace(unknown="border"))
    assert not relabeling.count_supported(known, scores, proposed, about._replace(low=about.estimate // 2))
    assert not relabeling.count_supported(known._replace(pool=None), scores, proposed, about)


def test_the_error_rate_of_hundreds_of_classes_is_quick_to_fit():
    known, wrong = judged(3000, 0.1, 0.95, classes=600)
    assert known.pool.probs.shape[1] == 600
    assert error_rate.fit(known.pool.probs, known.labels).share == pytest.approx(wrong / 3000, rel=0.3)


def test_the_surest_predictions_are_those_of_a_sort():
    """Of equally sure ones the first count, as a stable sort has them."""
    for seed, (count, classes) in enumerate(((1, 2), (7, 3), (3000, 3))):
        probs = np.round(np.random.default_rng(seed).dirichlet(np.ones(classes), count), 1)
        for share in (*most_confident.SHARES, 1.0):
            found = most_confident.most_confident(probs, share)
            assert sorted(found) == sorted(set(probs.argmax(axis=1)))
            for label, rows in found.items():
                own = [row for row in range(count) if probs[row].argmax() == label]
                own.sort(key=lambda row: -probs[row].max())
                assert rows.tolist() == own[: math.ceil(share * len(own))]
