"""Quick models of the texts alone: what they have not seen they cannot know, and what they can tell."""

import warnings

import numpy as np
import pytest

from datamap.labels import features, grams, memorization, naive_bayes, pool, witnesses

WORDS = {0: ["cats purr", "a cat meows", "kittens nap"], 1: ["dogs bark", "a dog howls", "puppies chew"]}


def animals(count=60, seed=0):
    """Texts that tell their class, and labels of which every tenth is wrong."""
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, 2, count)
    texts = [f"{WORDS[y][generator.integers(0, 3)]} {generator.integers(0, 9)}" for y in truth.tolist()]
    return texts, truth, np.where(np.arange(count) % 10 == 0, 1 - truth, truth)


def pairs(count=120, seed=0):
    """Pairs whose label is whether both texts share their words."""
    generator = np.random.default_rng(seed)
    words = [f"{a}{b}{c}" for a in "bdgk" for b in "aeiou" for c in "lmrst"]
    drawn = [generator.choice(words, 8, replace=False).tolist() for _ in range(count)]
    truth = generator.integers(0, 2, count)
    texts_a = [" ".join(d[:4]) for d in drawn]
    texts_b = [" ".join(d[:3] if same else d[4:]) for d, same in zip(drawn, truth, strict=True)]
    return texts_a, texts_b, truth


def contradicted(probs, labels):
    return probs.argmax(axis=1) != labels


def test_single_texts_wrong_labels_are_contradicted():
    texts, truth, labels = animals()
    found = witnesses.predict_unseen(texts, None, labels, 2)
    assert list(found) == ["linear", "bigrams", "neighbours"]
    for name, probs in found.items():
        assert probs.sum(axis=1) == pytest.approx(1), name
        assert (probs > 0).all()
        assert (contradicted(probs, labels) == (labels != truth)).mean() > 0.95, name


def test_pairs_are_told_by_what_both_texts_share():
    texts_a, texts_b, truth = pairs()
    labels = np.where(np.arange(120) % 10 == 0, 1 - truth, truth)
    found = witnesses.predict_unseen(texts_a, texts_b, labels, 2)
    assert list(found) == ["linear", "bigrams", "overlap"]
    for name, probs in found.items():
        assert (contradicted(probs, labels) == (labels != truth)).mean() > 0.9, name


def test_nothing_is_known_by_heart():
    """Labels that follow from nothing: what a model has seen it may know, what it has not it guesses."""
    generator = np.random.default_rng(1)
    texts = ["".join(map(chr, generator.integers(97, 123, 12))) for _ in range(300)]
    labels = generator.integers(0, 2, 300)
    for name, probs in witnesses.predict_unseen(texts, None, labels, 2).items():
        assert (probs.argmax(axis=1) == labels).mean() == pytest.approx(0.5, abs=0.1), name


def test_many_classes_rare_classes_and_classes_without_samples():
    texts = [f"topic {'abcdefghijkl'[n % 12] * 6} {n % 7}" for n in range(240)] + ["alone"]
    labels = np.array([n % 12 for n in range(240)] + [12])
    found = witnesses.predict_unseen(texts, None, labels, 14)
    for name, probs in found.items():
        assert probs.shape == (241, 14)
        assert (probs[:240].argmax(axis=1) == labels[:240]).mean() > 0.95, name


def test_the_filters_of_warnings_stay_as_they_are(monkeypatch):
    monkeypatch.setattr(witnesses, "MAX_JOINT_SIZE", 0)  # so that each class trains a model, in threads
    texts = [f"topic {chr(97 + n % 20) * 6} {n % 7}" for n in range(2000)]
    witnesses.predict_unseen(texts[:40], None, np.arange(40) % 20, 20)  # imports of scikit-learn add some
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        before = list(warnings.filters)
        witnesses.predict_unseen(texts, None, np.arange(2000) % 20, 20)
        assert warnings.filters == before


@pytest.mark.parametrize(
    ("texts", "labels"),
    [([], []), (["a"], [0]), (["a", "b", "c"], [0, 0, 1]), (["a", "b", "c"], [0, 1, 2])],
)
def test_too_few_samples_are_no_evidence(texts, labels):
    assert witnesses.predict_unseen(texts, None, np.array(labels, int), 3) == {}


@pytest.mark.parametrize("text", ["", "  ", "?"])
def test_texts_without_any_sign(text):
    found = witnesses.predict_unseen([text] * 8, None, np.array([0, 1] * 4), 2)
    assert all(np.isfinite(probs).all() for probs in found.values())
    assert np.isfinite(
        witnesses.predict_unseen([text] * 8, [text] * 8, np.array([0, 1] * 4), 2)["overlap"]
    ).all()


def test_texts_with_spaces_have_words():
    """Two words in any order make the class; no characters across words tell it as surely."""
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, 300)
    fillers = ("river", "stone", "cloud", "paper", "glass")
    texts = [
        " ".join([*generator.choice(fillers, 6), ("sunny", "rainy")[k], *generator.choice(fillers, 6)])
        for k in labels
    ]
    found = witnesses.predict_unseen(texts, None, labels, 2)["words"]
    assert (found.argmax(axis=1) == labels).mean() > 0.95
    assert "words" not in witnesses.predict_unseen([text.replace(" ", "") for text in texts], None, labels, 2)
    pairs = witnesses.predict_unseen(texts, texts[::-1], (labels == labels[::-1]).astype(int), 2)
    assert "words" in pairs


def test_a_telling_word_is_not_lost_in_a_long_text():
    """150 common words in other numbers each, and two that make the class."""
    generator = np.random.default_rng(0)
    labels, fillers = generator.integers(0, 2, 200), ("river", "stone", "cloud", "paper", "glass")
    telling = ("zebra zebra", "koala koala")
    texts = [
        " ".join(generator.permutation([*generator.choice(fillers, 150), *telling[k].split()]))
        for k in labels
    ]
    for name, probs in witnesses.predict_unseen(texts, None, labels, 2).items():
        assert (probs.argmax(axis=1) == labels).mean() > 0.95, name


def test_of_many_samples_a_part_is_trained_on(monkeypatch):
    for name in ("MAX_ROWS", "MAX_REFERENCES", "BLOCK"):
        monkeypatch.setattr(witnesses, name, 40)
    texts, truth, labels = animals(200)
    for name, probs in witnesses.predict_unseen(texts, None, labels, 2).items():
        assert (contradicted(probs, labels) == (labels != truth)).mean() > 0.9, name


def test_a_pool_weighs_what_predicts_and_tones_down_what_is_too_sure():
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, 2000)
    said = np.where(generator.random(2000) < 0.8, labels, 1 - labels)
    modest, boastful = 0.2 + 0.6 * np.eye(2)[said], 0.001 + 0.998 * np.eye(2)[said]
    for probs in (modest, boastful):
        found = pool.pool_witnesses({"one": probs}, labels)
        assert found.probs[np.arange(2000), said].mean() == pytest.approx(0.8, abs=0.02)


def test_memorization_begins_where_training_accuracy_leaves_the_rest_behind():
    seen, unseen = {1: 0.6, 2: 0.75, 3: 0.9, 4: 0.97}, {1: 0.6, 2: 0.7, 3: 0.71}
    assert memorization.from_accuracies(seen, unseen) == (3, 0.9, 0.71, 0)
    assert memorization.from_accuracies(seen, {1: 0.6, 2: 0.72, 3: 0.85}) is None
    assert memorization.from_accuracies(seen, {}) is None
    assert memorization.from_accuracies({1: 0.9}, {1: 0.5}) == (1, 0.9, 0.5, 0)
    # Two in five labels of training are contradicted to the end: few are memorized.
    assert memorization.from_accuracies({1: 0.58, 2: 0.604}, {1: 0.47, 2: 0.5}) is None


def test_memorization_begins_where_likely_wrong_labels_are_no_longer_contradicted():
    correct = np.zeros((4, 20), bool)
    correct[1, :15] = correct[2, :5] = correct[3, :13] = True
    seen = {1: 0.6, 2: 0.7, 3: 0.7, 4: 0.9}
    assert memorization.from_doubted(seen, 0.75, correct) == (4, 0.65, 0.0, 20)
    assert (
        memorization.from_doubted(seen, 0.85, correct) is None
    )  # the model knows little more than the witnesses
    correct[3, 11:] = False
    assert memorization.from_doubted(seen, 0.75, correct) is None
    assert memorization.from_doubted({1: 0.9}, 0.6, np.ones((1, 9), bool)) is None
    assert memorization.from_doubted({1: 0.604}, 0.5, np.ones((1, 20), bool)) is None


LOOKS = ["Hello  World\n foo BAR", "", "a" * 50, "x😀y", "怎么 做可乐鸡翅？", "可乐鸡翅的做法", "ab", "b\ta"]


@pytest.mark.parametrize(("analyzer", "longest"), [("char_wb", 4), ("char", 2)])
def test_grams_are_those_of_scikit_learn(monkeypatch, analyzer, longest):
    from sklearn.feature_extraction.text import TfidfVectorizer

    monkeypatch.setattr(grams, "CHARS_AT_ONCE", 30)  # so that there are several blocks
    reference = TfidfVectorizer(analyzer=analyzer, ngram_range=(1, longest), sublinear_tf=True, min_df=2)
    ours = grams.CharGrams(range(1, longest + 1), analyzer == "char_wb", 2, 10**6)
    theirs, found = reference.fit_transform(LOOKS), ours.fit_transform(LOOKS)
    assert found.shape == theirs.shape
    assert (found @ found.T).toarray() == pytest.approx((theirs @ theirs.T).toarray(), abs=1e-6)
    assert (ours.transform(LOOKS) != found).nnz == 0


def test_of_many_grams_the_most_frequent_are_kept():
    ours = grams.CharGrams(range(1, 3), within_words=False, min_texts=1, max_grams=2)
    ours.fit_transform(["aab", "ab", "c"])
    found = ours.transform(["aa", "ab", "c"]).toarray()
    assert found.shape == (3, 2)  # "a" and "b"; "ab" is as frequent, but its number is higher
    assert (found > 0).tolist() == [[True, False], [True, True], [False, False]]


def test_naive_bayes_leaves_each_sample_out(monkeypatch):
    from scipy import sparse

    generator = np.random.default_rng(3)
    values = generator.poisson(0.4, (40, 15)) * generator.random((40, 15))
    values[7], values[:, 14], labels = (
        0,
        0,
        generator.integers(0, 4, 40),
    )  # a text without features, a feature of none
    labels[11] = 4  # a class of one sample
    monkeypatch.setattr(naive_bayes, "MAX_CELLS", 15)  # a class at a time
    monkeypatch.setattr(naive_bayes, "ROWS", 3)
    found = naive_bayes.predict(sparse.csr_matrix(values.astype(np.float32)), labels, 5)
    m, q = naive_bayes.SMOOTHING * values.sum() / 5, values.sum(axis=0) / values.sum() + 1e-30
    for row, x in enumerate(values):
        others = np.arange(40) != row
        of_classes = [values[others & (labels == c)] for c in range(5)]
        theta = np.array([(own.sum(axis=0) + m * q) / (own.sum() + m) for own in of_classes])
        p = np.maximum([len(own) for own in of_classes], 0.5) * np.exp(x @ np.log(theta).T)
        assert found[row] == pytest.approx(p / p.sum(), rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("witness", ["linear", "words"])
def test_of_many_classes_no_text_is_judged_by_its_own_label(monkeypatch, witness):
    monkeypatch.setattr(witnesses, "MAX_JOINT_SIZE", 0)
    texts, truth, labels = animals()
    texts = [f"{text} {text} end" for text in texts]  # enough words
    found = witnesses.predict_unseen(texts, None, labels, 2)
    assert (contradicted(found[witness], labels) == (labels != truth)).mean() > 0.95
    labels[5] = 1 - labels[5]
    other = witnesses.predict_unseen(texts, None, labels, 2)
    assert other[witness][5] == pytest.approx(
        found[witness][5], abs=2e-3
    )  # but for the frequencies that are mixed in


def test_what_pairs_share_is_that_of_sets():
    a, b = LOOKS[:-1], LOOKS[1:]
    found = features._shared(a, b, np.zeros(len(a)))
    for row, (one, other) in enumerate(zip(a, b, strict=True)):
        for n, column in zip((1, 2, 3), (4, 6, 8), strict=True):
            first, second = ({text[i : i + n] for i in range(len(text) - n + 1)} for text in (one, other))
            both = len(first & second)
            expected = [both / max(1, len(first | second)), both / max(1, min(len(first), len(second)))]
            assert found[row, column : column + 2] == pytest.approx(expected)


def test_features_of_pairs_do_not_depend_on_the_rows_that_are_asked_for():
    texts_a, texts_b, _ = pairs()
    grams, _ = features.gram_features(texts_a, texts_b, 20_000, 50)
    for values in (grams, features.bigram_features(texts_a, texts_b, 20_000)):
        whole = values[np.arange(120)]
        assert (whole[[7, 90]] != values[np.array([7, 90])]).nnz == 0


def test_neighbors_of_long_texts_are_sought_by_their_heaviest_grams():
    from scipy import sparse

    values = sparse.random(20, 12, 0.6, "csr", np.float32, random_state=0)
    found, dense = grams.heaviest(values, 3).toarray(), values.toarray()
    assert ((found == dense) | (found == 0)).all()
    assert (np.sort(found)[:, -3:] == np.sort(dense)[:, -3:]).all() and ((found > 0).sum(axis=1) <= 3).all()


def test_fewer_folds_where_a_part_is_trained_on():
    labels = np.arange(240) % 2
    folds = {rows: witnesses.folds_of(labels, rows) for rows in (20, 120, 160, 180, 240)}
    assert {rows: len(found) for rows, found in folds.items()} == {20: 2, 120: 2, 160: 3, 180: 4, 240: 4}
    assert all(len(train) >= min(rows, 180) for rows, found in folds.items() for train, _ in found)
