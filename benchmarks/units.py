"""Measure how well wrong tags of entities, and wrong ones of several labels, are found, and what correcting them gains.

    python benchmarks/units.py collect [data=wnut17,cluener,divorce,emotions] [seeds=1,2,3] [levels=0.05,0.1,0.2]
    python benchmarks/units.py score   [the same] [encoder=<folder>]
    python benchmarks/units.py loop    [data=cluener,divorce] [seeds=1,2,3] [levels=0.1]

`collect` plants errors that annotators make, trains the default model once on them, and leaves one file of evidence in
`folder`; `score` prints how well each score of `datamap diagnose` and its peers find the errors; with an encoder the
texts with several labels have one more witness. `loop` trains a quick
model (a linear CRF, or logistic regressions) on what `datamap curate` would leave, and prints F1 on other samples.

The data sets are files of public repositories, which this one does not hold. Environment variables name them: WNUT17
(wnut17train.conll), CLUENER (train.json), DIVORCE (of CAIL 2019: data_small_selected.json) and EMOTIONS (GoEmotions by
Ekman's six: train.tsv). The CRF needs python-crfsuite. Chosen on seeds above 100; the tables are of seeds 1 to 3.
"""

import json
import os
import re
import sys
import time
from collections import Counter
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_predict
from sklearn.multiclass import OneVsRestClassifier

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

from datamap import encoders  # noqa: E402
from datamap.data.units import UnitDataset, sorted_tags  # noqa: E402
from datamap.labels import mislabel, relabeling, unit_witnesses  # noqa: E402
from datamap.labels.counting import estimate  # noqa: E402
from datamap.schema import DIRTY, Task  # noqa: E402
from datamap.summaries import dynamics  # noqa: E402
from datamap.tasks import units  # noqa: E402
from datamap.tasks.rows import joined  # noqa: E402

ADDED = 1 / 3  # labels that are added for each one that is missed
INVENTED = 0.5  # entities that are invented for each one that is wrong


# ---------------------------------------------------------------------- data


def wnut17(random):
    """Tweets with six kinds of entities, English: 1,000 to train on, 1,000 others."""
    found = []
    for block in re.split(r"\n\s*\n", Path(os.environ["WNUT17"]).read_text(encoding="utf-8")):
        rows = [line.split() for line in block.splitlines() if line.strip()]
        if rows:
            found.append(([row[0] for row in rows], [row[-1] for row in rows]))
    return of_tags(drawn(found, 2000, random)), 1000, 128


def cluener(random):
    """Sentences of Chinese news with ten kinds of entities, a character a token: 1,000 to train on, 1,000 others."""
    found = []
    for line in Path(os.environ["CLUENER"]).read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        tags = ["O"] * len(row["text"])
        for kind, places in row["label"].items():
            for start, end in [place for of_name in places.values() for place in of_name]:
                tags[start : end + 1] = [f"B-{kind}"] + [f"I-{kind}"] * (end - start)
        kept = [not char.isspace() for char in row["text"]]
        found.append(
            ([c for c, k in zip(row["text"], kept, strict=True) if k], list(np.array(tags, object)[kept]))
        )
    return of_tags(drawn(found, 2000, random)), 1000, 64


def divorce(random):
    """Sentences of Chinese judgments with facts that they state, 20 labels: 1,500 to train on, 2,000 others."""
    cases = [
        json.loads(line) for line in Path(os.environ["DIVORCE"]).read_text(encoding="utf-8").splitlines()
    ]
    rows = {one["sentence"].strip(): one["labels"] for case in cases for one in case}
    return of_labels(drawn(list(rows.items()), 3500, random)), 1500, 64


def emotions(random):
    """English comments with the emotions in them, 7 labels: 1,500 to train on, 2,000 others."""
    lines = Path(os.environ["EMOTIONS"]).read_text(encoding="utf-8").splitlines()
    rows = {text.strip(): labels.split(",") for text, labels, _ in (line.split("\t") for line in lines)}
    return of_labels(drawn(list(rows.items()), 3500, random)), 1500, 128


SETS = {one.__name__: one for one in (wnut17, cluener, divorce, emotions)}


def drawn(rows, count, random):
    return [rows[place] for place in random.permutation(len(rows))[:count]]


def of_tags(rows):
    """Return sentences as a data set, with every place of every kind among the tags."""
    kinds = {tag[2:] for _, tags in rows for tag in tags} - {""}
    names = sorted_tags({"O", *(f"{place}-{kind}" for kind in kinds for place in "BI")})
    words = [words for words, _ in rows]
    labels = [np.array([names.index(tag) for tag in tags], np.int64) for _, tags in rows]
    return dataset(Task.TOKENS, list(map(joined, words)), words, labels, names)


def of_labels(rows):
    """Return texts with several labels as a data set, without labels that fewer than 20 texts have."""
    counts = Counter(label for _, labels in rows for label in labels)
    names = tuple(sorted(label for label, count in counts.items() if count >= 20))
    labels = np.array([[name in own for name in names] for _, own in rows], np.int64)
    return dataset(Task.MULTILABEL, [text for text, _ in rows], None, labels, names)


def dataset(task, texts, words, labels, names):
    ids = list(range(len(texts)))
    planted = [np.zeros_like(one) for one in labels]
    if task is Task.MULTILABEL:
        planted = np.array(planted)
    return UnitDataset(
        task=task, path="benchmark", ids=ids, texts_a=texts, words=words, labels=labels, planted=planted,
        class_names=names, lines=ids,
    )  # fmt: skip


def entities(tags):
    """Return [(start, end)] of the entities."""
    starts = [place for place, tag in enumerate(tags) if tag.startswith("B-")]
    ends = []
    for start in starts:
        end = start + 1
        while end < len(tags) and tags[end].startswith("I-"):
            end += 1
        ends.append(end)
    return list(zip(starts, ends, strict=True))


def damaged_tags(tags, rate, kinds, random):
    """Return tags with a share of the entities missed, of another kind or with another border, and some invented."""
    tags = list(tags)
    for start, end in entities(tags):
        if random.random() >= rate:
            continue
        error = random.choice(["missed", "type", "border"])
        own = tags[start][2:]
        if error == "type":
            other = random.choice([kind for kind in kinds if kind != own])
            tags[start:end] = [tag[:2] + other for tag in tags[start:end]]
        elif error == "border" and end - start > 1:
            tags[end - 1] = "O"
        elif error == "border" and end < len(tags) and tags[end] == "O":
            tags[end] = f"I-{own}"
        else:
            tags[start:end] = ["O"] * (end - start)
        if random.random() < INVENTED:
            place = random.integers(len(tags))
            if tags[place] == "O" and not tags[min(place + 1, len(tags) - 1)].startswith("I-"):
                tags[place] = f"B-{random.choice(kinds)}"
    return tags


def damaged(samples, rate, random):
    """Return the samples with errors in a share of the entities or labels."""
    if samples.task is Task.TOKENS:
        names = samples.class_names
        kinds = sorted({name[2:] for name in names} - {""})
        tags = (damaged_tags([names[label] for label in one], rate, kinds, random) for one in samples.labels)
        given = [np.array([names.index(tag) for tag in one], np.int64) for one in tags]
    else:
        given = samples.labels.copy()
        there = np.argwhere(given == 1)
        missed = there[random.random(len(there)) < rate]
        given[tuple(missed.T)] = 0
        # A label is added where it is common, as annotators confuse common labels.
        free = np.argwhere(samples.labels == 0)
        weights = samples.labels.mean(axis=0)[free[:, 1]]
        added = free[random.choice(len(free), round(ADDED * len(missed)), False, weights / weights.sum())]
        given[tuple(added.T)] = 1
    planted = [DIRTY * (a != b).astype(np.int64) for a, b in zip(samples.labels, given, strict=True)]
    if samples.task is Task.MULTILABEL:
        planted = np.array(planted)
    return replace(samples, labels=given, planted=planted)


def of_job(name, level, seed):
    """Return (training samples with right labels, the same with errors, other samples, the model's length)."""
    random = np.random.default_rng([seed, 21])
    samples, count, length = SETS[name](random)
    clean = samples.take(range(count))
    return clean, damaged(clean, level, random), samples.take(range(count, len(samples))), length


# ---------------------------------------------------------------------- evidence


def observed(samples, length, seed):
    """Return the tables of signals of the observations of a training with the default model."""
    from datamap import config
    from datamap.paddle_backend import modeling, objectives, options, trainer

    scratch = config.ScratchConfig(2, 128, 256, 4, 0.0, 0.03)
    named = config.ModelConfig("benchmark", None, length, 1e-3, 8, 32, scratch)
    trainer.seed_weights(seed)
    head = objectives.objective_of(samples).head
    classifier = modeling.build(named, samples.texts_a, samples.class_names, head)
    fit_options = options.FitOptions(seed, 8, 32, 128, length, 1e-3, 0.1, 0.01, None)
    tables = []
    trainer.Trainer(classifier, samples, fit_options).fit(lambda found: tables.append(found.signals))
    return tables


def of_run(tables, task, classes):
    """Return the columns of the summary that scores are made of, and the sample and position of each unit."""
    first = tables[0]
    samples, places = units.split(first["id"].combine_chunks())
    correct = np.stack([one["correct"].to_numpy(zero_copy_only=False) for one in tables])
    label_probs = np.stack([one["label_probs"].to_numpy() for one in tables]).astype(np.float64)
    found = {
        "samples": np.array(samples.to_pylist(), np.int64),
        "places": places,
        "given": first["label"].to_numpy(),
        "dirty": first["noisy_label"].to_numpy() == DIRTY,
        "wrong": (~correct).sum(axis=1),
        "avg_probs": label_probs.mean(axis=0),
        "correct_times": correct.sum(axis=0),
        "forgetting_times": dynamics.forgetting_times(correct),
        "margin_mean": np.mean([one["margin"].to_numpy() for one in tables], axis=0),
    }
    if task is Task.TOKENS:
        probs = [one["probs"].combine_chunks().flatten().to_numpy().reshape(-1, classes) for one in tables]
        found["mean"] = np.mean(probs, axis=0)
    return found


def collect_one(name, level, seed):
    """Return arrays that scores are made of."""
    _, noisy, _, length = of_job(name, level, seed)
    classes = len(noisy.class_names)
    found = of_run(observed(noisy, length, seed), noisy.task, classes)
    where = (found["samples"], found["places"], found["given"])
    if noisy.task is Task.TOKENS:
        texts = unit_witnesses.predict_tokens(noisy.words, *where, classes)
        found["crf"] = crf_probs(noisy, *where)
    else:
        texts = unit_witnesses.predict_labels(noisy.texts_a, None, *where)
        found["logistic"] = logistic_probs(noisy)
    return found | {f"texts_{witness}": probs for witness, probs in texts.items()}


def crf_features(noisy, rows):
    """Return the features of each token of some sentences."""
    samples = np.repeat(np.arange(len(rows)), [len(noisy.words[row]) for row in rows])
    places = np.concatenate([np.arange(len(noisy.words[row])) for row in rows])
    flat = iter(unit_witnesses.features([noisy.words[row] for row in rows], samples, places))
    return [[next(flat) for _ in noisy.words[row]] for row in rows]


def crf(noisy, rows, path):
    """Train a linear CRF on some sentences, and return its tagger."""
    import pycrfsuite

    model = pycrfsuite.Trainer(verbose=False)
    model.set_params({"c1": 0.0, "c2": 0.1, "max_iterations": 50, "feature.possible_transitions": True})
    for row, features in zip(rows, crf_features(noisy, rows), strict=True):
        model.append(features, [noisy.class_names[label] for label in noisy.labels[row]])
    model.train(str(path))
    tagger = pycrfsuite.Tagger()
    tagger.open(str(path))
    return tagger


def crf_probs(noisy, samples, places, given):
    """Return out-of-fold marginals of a linear CRF for each token."""
    probs = np.zeros((len(given), len(noisy.class_names)))
    starts = np.searchsorted(samples, np.arange(len(noisy)))
    ends = np.searchsorted(samples, np.arange(len(noisy)), "right")
    path = Path(f"/tmp/crf-{os.getpid()}")
    for train, held_out in KFold(4, shuffle=True, random_state=0).split(np.arange(len(noisy))):
        tagger = crf(noisy, train.tolist(), path)
        known = [(noisy.class_names.index(name), name) for name in tagger.labels()]
        for row, features in zip(held_out.tolist(), crf_features(noisy, held_out.tolist()), strict=True):
            tagger.set(features)
            for unit in range(starts[row], ends[row]):
                for label, name in known:
                    probs[unit, label] = tagger.marginal(name, int(places[unit]))
    path.unlink()
    return probs / probs.sum(axis=1, keepdims=True)


def grams(texts, others=()):
    """Return TF-IDF of words where texts have spaces, else of characters."""
    spaced = np.mean([" " in text for text in texts]) > 0.5
    vectorizer = TfidfVectorizer(analyzer="word" if spaced else "char", ngram_range=(1, 2))
    first = vectorizer.fit_transform(texts)
    return (first, vectorizer.transform(others)) if others else first


def logistic():
    return LogisticRegression(C=10, max_iter=300)


def logistic_probs(noisy):
    """Return out-of-fold probabilities of a logistic regression for each label (samples, labels)."""
    values = grams(noisy.texts_a)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    columns = [
        cross_val_predict(logistic(), values, labels, cv=folds, method="predict_proba")[:, 1]
        for labels in noisy.labels.T
    ]
    return np.stack(columns, axis=1)


def path_of(folder, name, level, seed):
    return Path(folder) / f"{name}-{level:g}-{seed}.npz"


# ---------------------------------------------------------------------- scores


def evidence(found):
    """Return what `diagnose` would know of the run."""
    texts = {key[6:]: found[key] for key in found if key.startswith("texts_")}
    columns = ("wrong", "avg_probs", "correct_times", "forgetting_times", "margin_mean", "mean")
    given = {key: found[key] for key in columns if key in found}
    columns = found["places"] if "logistic" in found else np.zeros_like(found["given"])
    known = mislabel.Evidence(labels=found["given"], witnesses=texts, columns=columns, **given)
    return mislabel.with_posterior(known)


def of_cleanlab(found, name):
    """Return cleanlab's score of each unit and of each sample, by its module for the task."""
    samples = found["samples"]
    if name == "logistic":
        from cleanlab.multilabel_classification import get_label_quality_scores

        labels = np.zeros(found["logistic"].shape, int)
        labels[samples, found["places"]] = found["given"]
        own = np.where(labels == 1, found["logistic"], 1 - found["logistic"])
        scores = get_label_quality_scores([np.flatnonzero(one).tolist() for one in labels], found["logistic"])
        return 1 - own[samples, found["places"]], 1 - scores
    from cleanlab.token_classification.rank import get_label_quality_scores

    cuts = np.flatnonzero(np.diff(samples)) + 1
    labels = [part.tolist() for part in np.split(found["given"], cuts)]
    probs = found["crf"] if name == "crf" else found["texts_window"]
    scores, of_tokens = get_label_quality_scores(labels, np.split(probs, cuts))
    return 1 - np.concatenate([part.to_numpy() for part in of_tokens]), 1 - scores


OURS = (
    "combined", "confidence", "aum", "forgetting", "window", "sequence", "lexicon", "bigrams", "words", "embeddings"
)  # fmt: skip
SHOWN = ("combined", "confidence", "aum", "forgetting", "cleanlab, linear", "cleanlab, CRF")


def scores_of(found):
    """Return {score: (of units, of samples)}."""
    known, _, groups = evidence(found), *np.unique(found["samples"], return_inverse=True)
    result = {}
    for name in OURS:
        if name in ("combined", "confidence", "aum", "forgetting") or f"texts_{name}" in found:
            values = mislabel.SCORES[name](known)
            result[name] = values, values[units.worst_rows(-values, groups)]
    if "crf" in found:
        result["cleanlab, CRF"] = of_cleanlab(found, "crf")
        result["cleanlab, linear"] = of_cleanlab(found, "window")
    else:
        result["cleanlab, linear"] = of_cleanlab(found, "logistic")
    return result


def embedded(job, found, encoder):
    """Return the evidence of a data set of several labels with what models of the texts' embeddings say."""
    _, noisy, _, _ = of_job(*job)
    if noisy.task is Task.TOKENS:
        return found
    vectors = encoders.encode(encoder, noisy.texts_a)
    where = found["samples"], found["places"], found["given"]
    return found | {"texts_embeddings": unit_witnesses.predict_from_embeddings(vectors, None, *where)}


def measured(jobs, folder, encoder=None):
    """Return one row a job and score, with a column a measure."""
    rows = []
    for job in jobs:
        path = path_of(folder, *job)
        if not path.exists():
            continue
        found = dict(np.load(path))
        found = embedded(job, found, encoder) if encoder else found
        _, groups = np.unique(found["samples"], return_inverse=True)
        wrong = np.bincount(groups, found["dirty"]) > 0
        about = estimate(evidence(found))
        for score, (of_units, of_samples) in scores_of(found).items():
            rows.append(
                dict(zip(("data", "level", "seed"), job, strict=True))
                | {
                    "score": score, "share": found["dirty"].mean(), "samples": wrong.mean(),
                    "AP": average_precision_score(found["dirty"], of_units),
                    "AUROC": roc_auc_score(found["dirty"], of_units),
                    "sample AP": average_precision_score(wrong, of_samples),
                    "sample AUROC": roc_auc_score(wrong, of_samples),
                    "estimate": about.estimate / found["dirty"].sum(), "known": about.known,
                    "within": about.low <= found["dirty"].sum() <= about.high,
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def print_tables(frame, full):
    """Print a line per set and level, and the mean of each set: average precision of units and of samples."""
    for measure in ("AP", "AUROC", "sample AP", "sample AUROC"):
        shown = [s for s in (OURS + SHOWN[4:] if full else SHOWN) if s in set(frame["score"])]
        print(
            f"\n**{measure}**\n\n| data, errors | seeds | " + " | ".join(shown) + " | combined - best peer |"
        )
        print("|---|---:|" + "---:|" * (len(shown) + 1))
        for name, own in frame.groupby("data", sort=False):
            for level, part in own.groupby("level"):
                line(f"{name}, {level:.0%}", part, measure, shown)
            line(f"**{name}, mean**", own, measure, shown)
    counted = frame[frame["score"] == "combined"].groupby(["data", "level"], sort=False)
    print(counted[["share", "samples", "estimate", "known", "within"]].mean().round(3).to_string())


def line(name, part, measure, shown):
    by_seed = part.pivot_table(index="seed", columns="score", values=measure)
    means = by_seed.mean()
    best = means[[one for one in SHOWN[1:] if one in means]].idxmax()
    gap = (by_seed["combined"] - by_seed[best]).dropna()
    cells = " | ".join(f"{means[one]:.3f}" if one in means else "" for one in shown)
    error = f" ± {gap.std() / np.sqrt(len(gap)):.3f}" if len(gap) > 1 else ""
    print(f"| {name} | {len(by_seed)} | {cells} | {gap.mean():+.3f}{error} ({best}) |")


# ---------------------------------------------------------------------- the loop


def trained_f1(samples, rows, other):
    """Return F1 on other samples of a quick model that is trained on some of the samples: of entities, or micro."""
    if samples.task is Task.MULTILABEL:
        first, second = grams([samples.texts_a[row] for row in rows], other.texts_a)
        model = OneVsRestClassifier(logistic()).fit(first, samples.labels[rows])
        return f1_score(other.labels, model.predict(second), average="micro")
    from seqeval.metrics import f1_score as of_entities

    path = Path(f"/tmp/crf-{os.getpid()}")
    tagger = crf(samples, rows, path)
    predicted = [tagger.tag(features) for features in crf_features(other, range(len(other)))]
    path.unlink()
    return of_entities([[other.class_names[label] for label in one] for one in other.labels], predicted)


def relabelled(samples, found, chosen, labels):
    """Return the samples with other labels of the chosen units."""
    new = [one.copy() for one in samples.labels]
    for row, place, label in zip(
        found["samples"][chosen], found["places"][chosen], labels[chosen], strict=True
    ):
        new[row][place] = label
    new = np.array(new) if samples.task is Task.MULTILABEL else new
    return replace(samples, labels=new)


def loop_one(name, level, seed, folder):
    """Return {way: (samples, wrong units left, F1)} by the rules of `datamap curate`."""
    clean, noisy, other, _ = of_job(name, level, seed)
    found = dict(np.load(path_of(folder, name, level, seed)))
    known = evidence(found)
    about, scores = estimate(known), mislabel.combined(known)
    scores = mislabel.calibrate(scores, about.estimate) if about.known else scores
    rank = np.argsort(np.argsort(-scores, kind="stable"))
    everything, right = range(len(noisy)), dict(enumerate(clean.labels))
    dropped = set(found["samples"][scores > 0.5 if about.known else rank < about.estimate].tolist())
    kept = [row for row in everything if row not in dropped]
    random = np.sort(np.random.default_rng([seed, 22]).permutation(len(noisy))[: len(kept)]).tolist()
    proposed = mislabel.proposals(known, scores if about.known else None)
    few = relabeling.count_supported(known, scores, proposed, about) if about.known else 0
    changed = relabelled(noisy, found, (rank < few) & (proposed != found["given"]), proposed)
    likely = relabelled(noisy, found, (scores > 0.5) & (proposed != found["given"]), proposed)
    spoiled = set(found["samples"][found["dirty"]].tolist())
    ways = {
        "as it is": (noisy, everything),
        "clean": (noisy, kept),
        "relabelled": (changed, everything),
        "all units of score > 0.5 relabeled": (likely, everything),
        "as many dropped at random": (noisy, random),
        "exactly the wrong samples dropped (oracle)": (noisy, [row for row in everything if row not in spoiled]),
        "all labels right (oracle)": (clean, everything),
    }  # fmt: skip
    return about.known, {
        way: (
            len(rows),
            sum(int((samples.labels[row] != right[row]).sum()) for row in rows),
            trained_f1(samples, list(rows), other),
        )
        for way, (samples, rows) in ways.items()
    }


def print_loop(jobs, folder):
    """Print means over the seeds, appending each seed to loop.jsonl."""
    results = {}
    for name, level, seed in jobs:
        known, ways = loop_one(name, level, seed, folder)
        with Path(folder, "loop.jsonl").open("a", encoding="utf-8") as file:
            print(json.dumps([name, level, seed, bool(known), ways]), file=file)
        for way, values in ways.items():
            results.setdefault((name, level), {}).setdefault(way, []).append(values)
    for (name, level), ways in results.items():
        print(
            f"\n| {name}, {level:.0%} | samples | wrong labels left | each seed | F1 |\n|---|---:|---:|---|---:|"
        )
        for way, values in ways.items():
            count, left, f1 = np.mean(values, axis=0)
            each = " ".join(f"{one[2]:.3f}" for one in values)
            print(f"| {way} | {count:,.0f} | {left:,.0f} | {each} | {f1:.3f} |")


def main(
    command,
    data="wnut17,cluener,divorce,emotions",
    seeds="1,2,3",
    levels="0.1",
    folder="units",
    full="",
    encoder=None,
):
    """Run a command on all combinations."""
    levels = [float(level) for level in levels.split(",")]
    jobs = [
        (name, level, int(seed)) for level, seed, name in product(levels, seeds.split(","), data.split(","))
    ]
    Path(folder).mkdir(exist_ok=True, parents=True)
    if command == "collect":
        for job in jobs:
            path = path_of(folder, *job)
            if not path.exists():
                start = time.perf_counter()
                np.savez(path, **collect_one(*job))
                print(f"{path.name}  {time.perf_counter() - start:.1f} s", flush=True)
    elif command == "score":
        print_tables(measured(sorted(jobs, key=lambda job: list(SETS).index(job[0])), folder, encoder), full)
    else:
        print_loop(sorted(jobs, key=lambda job: list(SETS).index(job[0])), folder)


if __name__ == "__main__":
    main(sys.argv[1], **dict(argument.split("=", 1) for argument in sys.argv[2:]))
