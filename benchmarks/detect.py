"""Measure how well scores find planted label noise: collect evidence once, then score it.

    python benchmarks/detect.py collect [data=demo,reviews,…] [seeds=1,2,3] [levels=0.05,0.1] [noise=uniform] [folds=3]
    python benchmarks/detect.py score   [the same]

The data sets and the three kinds of noise are in benchmarks/noisy.py; a pretrained encoder for them is the folder that
the environment variable ENCODER names (docs/models.md). Each combination is trained once on all
samples and once a fold, as `datamap train data.folds=3` does (folds=0: without; train=false: only what `diagnose`
trains on the texts), and leaves one file of probabilities in `folder`. Scores were chosen on seeds above 100; the
tables in docs/detection.md are of seeds 1 to 3.
"""

import os
import sys
import time
import warnings
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score, roc_auc_score

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

import noisy  # noqa: E402

from datamap.labels import error_rate, mislabel, relabeling, witnesses  # noqa: E402
from datamap.labels.counting import estimate  # noqa: E402
from datamap.labels.pool import pool_witnesses  # noqa: E402
from datamap.signals import compute  # noqa: E402
from datamap.summaries import dynamics  # noqa: E402
from datamap.training import extra  # noqa: E402

NOISE = ("uniform", "class", "boundary")
ENCODER = os.environ.get("ENCODER")  # folder of a pretrained encoder, instead of model=tiny
LEVELS = (0.02, 0.05, 0.1, 0.2, 0.4)


# ---------------------------------------------------------------- training


def text_probs(seed, train, observed):
    """Probabilities (epochs, observed samples, classes) of `model=tiny`, or of the encoder in the folder ENCODER."""
    from datamap import config
    from datamap.paddle_backend import modeling, options, trainer

    epochs, lr = (3, 5e-5) if ENCODER else (8, 1e-3)
    scratch = config.ScratchConfig(2, 128, 256, 4, 0.0, 0.03)
    named = config.ModelConfig("benchmark", ENCODER, 64, lr, epochs, 32, scratch)
    fit_options = options.FitOptions(seed, epochs, 32, 128, 64, lr, 0.1, 0.01, None)
    trainer.seed_weights(seed)
    classifier = modeling.build(named, train.texts_a + (train.texts_b or []), train.class_names)
    tables = []
    training = trainer.Trainer(classifier, train, fit_options, observed=observed)
    training.fit(lambda found: tables.append(found.signals))
    classes = len(train.class_names)
    return np.stack([t["probs"].combine_chunks().flatten().to_numpy().reshape(-1, classes) for t in tables])


def number_probs(seed, train, observed):
    """Return those of a perceptron with one hidden layer, 20 epochs."""
    import paddle

    paddle.seed(seed)
    generator = np.random.default_rng([seed, 9])
    width, classes = train.values.shape[1], len(train.class_names)
    layers = (paddle.nn.Linear(width, 128), paddle.nn.ReLU(), paddle.nn.Linear(128, classes))
    model = paddle.nn.Sequential(*layers)
    optimizer = paddle.optimizer.AdamW(3e-3, parameters=model.parameters(), weight_decay=0.01)
    found = []
    for _ in range(20):
        order = generator.permutation(len(train))
        for start in range(0, len(order), 32):
            rows = order[start : start + 32]
            logits = model(paddle.to_tensor(train.values[rows]))
            paddle.nn.functional.cross_entropy(logits, paddle.to_tensor(train.labels[rows])).backward()
            optimizer.step()
            optimizer.clear_grad()
        with paddle.no_grad():
            outputs = model(paddle.to_tensor(observed.values))
            found.append(paddle.nn.functional.softmax(outputs, axis=1).numpy())
    return np.stack(found)


def collect_one(name, noise, level, seed, folds, train):
    """Arrays that scores are made from."""
    samples = getattr(noisy, name)(seed)
    marked = replace(samples, labels=noisy.flips(noise, level, samples, seed), ids=np.arange(len(samples)))
    found = {"true": samples.labels, "given": marked.labels}
    if name == "digits":
        probs = number_probs
    else:
        probs = text_probs
        texts = witnesses.predict_unseen(
            marked.texts_a, marked.texts_b, marked.labels, len(marked.class_names)
        )
        found |= {f"texts_{witness}": values for witness, values in texts.items()}
        found["peer"] = noisy.linear_probs(marked)
        if samples.texts_b is None:
            found["words"] = noisy.linear_probs(marked, "word")
    if train:
        found["inside"] = probs(seed, marked, marked)
        held_out = np.zeros_like(found["inside"])
        for fold in extra.fold_trainings(marked, folds, seed, "holdout") if folds else ():
            held_out[:, fold.observed.ids] = probs(seed, fold.train, fold.observed)
        found |= {"held_out": held_out} if folds else {}
    return found


def collect(jobs, folder, folds, train):
    """All combinations of which there is no file yet."""
    folder.mkdir(exist_ok=True, parents=True)
    for job in jobs:
        path = path_of(folder, *job)
        if not path.exists():
            start = time.perf_counter()
            np.savez(path, **collect_one(*job, folds, train))
            print(f"{path.name}  {time.perf_counter() - start:.1f} s", flush=True)


def path_of(folder, name, noise, level, seed):
    """Where the arrays of a combination lie."""
    return folder / f"{name}-{noise}-{level:g}-{seed}.npz"


# ---------------------------------------------------------------- scoring


def evidence(found, folds=True, embeddings=True):
    """Return what `diagnose` would know of a run with (or without) folds and embeddings, as `mislabel.Evidence`."""
    labels = found["given"]
    texts = {key[6:]: found[key] for key in found if key.startswith("texts_")}
    if not embeddings:
        texts.pop("embeddings", None)
    nothing = np.zeros(len(labels))
    known = mislabel.Evidence(labels, np.zeros(1, int), nothing, nothing, nothing, witnesses=texts)
    if "inside" in found:
        known = known._replace(**of_run(found, folds and "held_out" in found))
        return mislabel.with_posterior(known)
    pool = pool_witnesses(texts, labels)
    errors = error_rate.fit(pool.probs, labels)
    # There is no run to ask, nor margins: all that is left is how much surer of true labels the witnesses would be.
    probs = pool.probs**errors.slope
    return known._replace(pool=pool, errors=errors, posterior=probs / probs.sum(axis=1, keepdims=True))


def of_run(found, folds):
    """Return those of the run's own observations, and of its folds."""
    inside, labels, rows = found["inside"].astype(np.float64), found["given"], np.arange(len(found["given"]))
    correct = inside.argmax(axis=2) == labels
    outputs = [compute.Outputs(labels, None, probs, compute.log_of(probs)) for probs in inside]
    return {
        "wrong": (~correct).sum(axis=1),
        "avg_probs": inside[:, rows, labels].mean(axis=0),
        "correct_times": correct.sum(axis=0),
        "forgetting_times": dynamics.forgetting_times(correct),
        "margin_mean": np.mean([compute.margin(o) for o in outputs], axis=0),
        "mean": inside.mean(axis=0),
        "held_out": found["held_out"].astype(np.float64).mean(axis=0) if folds else None,
    }


def cleanlab(found, probs):
    """cleanlab as its users call it, its default score."""
    from cleanlab.rank import get_label_quality_scores

    return 1 - get_label_quality_scores(found["given"], probs.astype(np.float64))


def of_score(name):
    """Return the function that gives the score of that name, None where the evidence lacks what it needs."""
    needs = {"combined": "given", "confident_learning": "held_out"}
    needs |= dict.fromkeys(("confidence", "aum", "forgetting"), "inside")
    key = needs.get(name, f"texts_{name}")
    return lambda f: mislabel.SCORES[name](evidence(f)) if key in f else None


# What diagnose offers; the default without folds; then the peers: cleanlab on folds, and on n-grams.
SCORES = {
    **{name: of_score(name) for name in mislabel.SCORES},
    "combined, no folds": lambda f: mislabel.combined(evidence(f, folds=False)),
    "no embeddings": lambda f: (
        mislabel.combined(evidence(f, embeddings=False)) if "texts_embeddings" in f else None
    ),
    "cleanlab, folds": lambda f: cleanlab(f, f["held_out"][-1]) if "held_out" in f else None,
    "cleanlab, n-grams": lambda f: cleanlab(f, f["peer"]) if "peer" in f else None,
    "cleanlab, words": lambda f: cleanlab(f, f["words"]) if "words" in f else None,
    "cleanlab, embeddings": lambda f: cleanlab(f, f["tuned"]) if "tuned" in f else None,
}
OURS = ("combined", "combined, no folds", "no embeddings")
PEERS = (
    "confidence", "aum", "forgetting", "cleanlab, folds", "cleanlab, n-grams", "cleanlab, words",
    "cleanlab, embeddings",
)  # fmt: skip
MEASURES = {
    "average precision": lambda s, wrong: average_precision_score(wrong, s),
    "AUROC": lambda s, wrong: roc_auc_score(wrong, s),
}


def measured(jobs, folder):
    """DataFrame: one row a combination, seed and score, with a column a measure."""
    rows = []
    for job in jobs:
        found = dict(np.load(path_of(folder, *job)))
        wrong = found["true"] != found["given"]
        for score, function in SCORES.items():
            scores = function(found)
            if scores is not None:
                values = {measure: f(scores, wrong) for measure, f in MEASURES.items()}
                rows.append(
                    dict(zip(("data", "noise", "level", "seed"), job, strict=True), score=score, **values)
                )
    return pd.DataFrame(rows)


def print_tables(frame):
    """Markdown: one table per measure, with one line per data set (mean of its rows) and one per combination."""
    for measure in MEASURES:
        print(
            f"\n**{measure[0].upper()}{measure[1:]}**, means of the seeds; the best single peer in bold; last, how"
        )
        print("far the default is above it, and the standard error of that over the seeds:\n")
        scores = [score for score in (*OURS, *PEERS) if score in set(frame["score"])]
        if "cleanlab, folds" not in scores:  # nor are there folds for ours
            scores.remove("combined, no folds")
        print("| data, noise, level | seeds | " + " | ".join(scores) + " | combined - best peer |")
        print("|---|---:|" + "---:|" * (len(scores) + 1))
        for data, part in frame.groupby("data", sort=False):
            for (noise, level), own in part.groupby(["noise", "level"], sort=False):
                print_line(f"{data}, {noise}, {level:g}", own, measure, scores)
            if part.groupby(["noise", "level"]).ngroups > 1:
                print_line(f"**{data}, mean**", part, measure, scores)


def print_line(name, frame, measure, scores):
    """One line: means over the seeds of each score; each combination counts once, however many seeds it has."""
    by_seed = frame.pivot_table(index="seed", columns="score", values=measure)
    means = frame.pivot_table(index=["noise", "level"], columns="score", values=measure).mean()
    best = means[[peer for peer in PEERS if peer in means]].idxmax()
    gap = (by_seed["combined"] - by_seed[best]).dropna()
    cells = [f"**{means[s]:.3f}**" if s == best else f"{means[s]:.3f}" if s in means else "" for s in scores]
    error = f" ± {gap.std() / np.sqrt(len(gap)):.3f}" if len(gap) > 1 else ""
    print(
        f"| {name} | {len(by_seed)} | "
        + " | ".join(cells)
        + f" | {means['combined'] - means[best]:+.3f}{error} |"
    )


def print_estimates(jobs, folder):
    """Markdown: how many labels are said to be wrong, against how many are; means of the seeds."""
    from cleanlab.count import num_label_issues

    print("\n| data, noise, level | wrong | estimate | range | can be known | cleanlab, n-grams |")
    print("|---|---:|---:|---|---:|---:|")
    within, rows = [], {}
    for job in jobs:
        found = dict(np.load(path_of(folder, *job)))
        about, wrong = estimate(evidence(found)), int((found["true"] != found["given"]).sum())
        within.append(
            (about.known, about.low <= wrong <= about.high, (about.high - about.low) / len(found["true"]))
        )
        peer = num_label_issues(found["given"], found["peer"]) if "peer" in found else np.nan
        rows.setdefault(job[:3], []).append((wrong, *about[:3], about.known, peer))
    for (name, noise, level), cells in rows.items():
        m = np.mean(cells, axis=0)
        last = "" if np.isnan(m[5]) else f"{m[5]:.0f}"
        print(
            f"| {name}, {noise}, {level:g} | {m[0]:.0f} | {m[1]:.0f} | {m[2]:.0f} to {m[3]:.0f} | {m[4]:.2f} | {last} |"
        )
    known, hits, widths = np.array(within).T
    print(f"\nThe true number was in the range in {hits.sum():.0f} of {len(hits)} runs ({hits[known > 0].sum():.0f} of "
          f"{known.sum():.0f} where it is said to be known); mean width {widths.mean():.3f}.")  # fmt: skip


def calibration_error(probs, wrong, bins=10):
    """Expected calibration error: mean distance of probability and share of wrong labels, over ten bins."""
    place = np.minimum((probs * bins).astype(int), bins - 1)
    parts = [place == k for k in range(bins) if (place == k).any()]
    return sum(part.mean() * abs(probs[part].mean() - wrong[part].mean()) for part in parts)


def print_probabilities(jobs, folder):
    """Markdown: how far scores are from probabilities, and what relabeling does to the share of right labels."""
    rows = []
    for data, noise, level, seed in jobs:
        found = dict(np.load(path_of(folder, data, noise, level, seed)))
        known, given, wrong = evidence(found), found["given"], found["true"] != found["given"]
        about, scores = estimate(known), mislabel.combined(known)
        scores = mislabel.calibrate(scores, about.estimate)
        proposed = mislabel.proposals(known, scores if about.known else None)
        sure = relabeling.count_supported(known, scores, proposed, about)
        changed = (np.argsort(np.argsort(-scores, kind="stable")) < sure) & (proposed != given)
        after = np.where(changed, proposed, given) == found["true"]  # labels that are right
        peer = cleanlab(found, found["peer"]) if "peer" in found else scores * 0
        rows.append(
            {
                "data": data, "noise": noise, "known": about.known, "ours": calibration_error(scores, wrong),
                "cleanlab": calibration_error(peer, wrong), "relabelled": changed.sum(), "before": 1 - wrong.mean(),
                "after": after.mean(), "worse": after.sum() < (~wrong).sum(),
            }
        )  # fmt: skip
    frame = pd.DataFrame(rows)
    print(
        "\n| data, noise | rows | known | calibration error | where known | worst | cleanlab, n-grams |",
        end="",
    )
    print(" labels right before | after relabeling | rows made worse |\n|---|" + "---:|" * 9)
    for (data, noise), part in frame.groupby(["data", "noise"], sort=False):
        print_probability_line(f"{data}, {noise}", part)
    for name, part in frame.groupby(np.where(frame["noise"] == "boundary", "boundary", "random"), sort=False):
        print_probability_line(f"**all, {name}**", part)


def print_probability_line(name, frame):
    """One line: means over all runs of a frame."""
    sure = frame[frame["known"]]
    print(
        f"| {name} | {len(frame)} | {frame['known'].mean():.2f} | {frame['ours'].mean():.3f} | "
        f"{sure['ours'].mean():.3f} | {sure['ours'].max():.3f} | {frame['cleanlab'].mean():.3f} | "
        f"{frame['before'].mean():.4f} | {frame['after'].mean():.4f} | {frame['worse'].sum()} |"
    )


def main(
    command,
    data="demo,reviews,digits",
    seeds="1,2,3",
    levels="",
    noise="",
    folds="3",
    train="true",
    folder="detect",
):
    """Run a command on all combinations."""
    levels = map(float, levels.split(",")) if levels else LEVELS
    names, kinds = data.split(","), noise.split(",") if noise else NOISE
    jobs = list(product(names, kinds, levels, map(int, seeds.split(","))))
    warnings.filterwarnings("ignore", module="sklearn")
    if command == "collect":
        collect(jobs, Path(folder), int(folds), train == "true")
    else:
        jobs = [job for job in jobs if path_of(Path(folder), *job).exists()]
        print_tables(measured(jobs, Path(folder)))
        print_estimates(jobs, Path(folder))
        print_probabilities(jobs, Path(folder))


if __name__ == "__main__":
    main(sys.argv[1], **dict(argument.split("=", 1) for argument in sys.argv[2:]))
