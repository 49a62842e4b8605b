"""Measure how fast `datamap review` answers, and whether a ranking that learns from decisions finds more wrong labels.

    python benchmarks/review.py speed [sizes=1500,100000,1000000] [observations=8]
    python benchmarks/review.py answers [sizes=100000,1000000]
    python benchmarks/review.py remaining [data=demo,lcqmc] [seeds=1,2,3] [reviewed=50,100,200,300]
    python benchmarks/review.py found [data=demo,lcqmc] [seeds=1,2,3] [ways=static,logistic,retrained,both]

`speed` serves a run of generated pairs (Parquet, 8 observations) from a process of its own, and asks it over HTTP as
the page does; times are of the requests, medians and worst of 100 samples and decisions. `answers` asks in the same
process, without HTTP, and clocks the CPU too, which other work on the machine changes little.

`found` simulates a reviewer who is always right and looks at 100 samples at a time: of flipped labels (demo 10 %, LCQMC
5 %; benchmarks/noisy.py, texts only) how many are found among the first 100, 200, … reviewed, by the ranking of
`diagnose` as it is; recalibrated by a logistic regression of the decisions on what each witness says; by witnesses
trained again with corrected labels (ActiveAED, Weber and Plank 2023); or by both. `remaining` compares what a review
says to remain with what does.
"""

import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
import warnings
from pathlib import Path
from unittest import mock

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(1, str(ROOT / "src"))  # after benchmarks/, which has a summarize.py too

BATCH = 100
REVIEWED = {"demo": 200, "lcqmc": 300}
LEVELS = {"demo": 0.1, "lcqmc": 0.05}


# ---------------------------------------------------------------- speed


def texts(generator, samples):
    """Arrow array of sentences of eight words; some words are common, most are rare."""
    import pyarrow as pa
    import pyarrow.compute as pc

    words = np.array(
        ["".join(map(chr, 0x4E00 + pair)) for pair in generator.integers(0, 3000, (20_000, 2))], object
    )
    drawn = generator.zipf(1.3, (8, samples)).clip(max=len(words)) - 1
    return pc.binary_join_element_wise(*(pa.array(words[row]) for row in drawn), "")


def make(samples, observations):
    """A run of generated pairs in the store of this folder, summarized and diagnosed; returns its id."""
    import pandas as pd

    from datamap import schema
    from datamap.config import defaults
    from datamap.pipeline.summarize import summarize_run
    from datamap.summaries import tsv
    from datamap.tracking.store import Store
    from summarize import make as make_signals

    generator = np.random.default_rng(0)
    folder = Path("generated")
    make_signals(folder, samples, observations, "parquet")
    with Store(create=True).new_run(f"{samples:,} samples") as run:
        for file in sorted((folder / "signals").iterdir()):
            run.log_file(file, f"signals/{file.name}")
        for number in range(1, observations + 1):
            run.log_metrics({schema.COMMIT_METRIC: samples}, number)
        run.log_labels(["no", "yes"])
        labels = np.random.default_rng(0).integers(0, 2, samples)  # as those of the signals
        pairs = {
            "text_a": texts(generator, samples).to_pandas(),
            "text_b": texts(generator, samples).to_pandas(),
        }
        frame = pd.DataFrame({"id": np.arange(samples), **pairs, "label": labels})
        run.log_bytes(b"".join(tsv.lines(frame)), schema.SAMPLES_FILE)
        summarize_run(run, defaults("summarize", run_id=run.run_id))
        scores = np.sort(generator.beta(0.5, 6, samples))[::-1].round(4)
        order = generator.permutation(samples)
        names = np.array(["no", "yes"], object)
        frame = frame.iloc[order].assign(
            score=scores, label=names[labels[order]], proposed=np.where(scores > 0.5, names[1 - labels[order]], ""),
            region="easy", why="right in 5 of 8 observations",
        )  # fmt: skip
        run.log_bytes(b"".join(tsv.lines(frame)), schema.DIAGNOSIS_FILE)
        known = {"estimate": samples // 20, "low": samples // 40, "high": samples // 10, "known": 1}
        run.log_metrics({f"mislabelled/{name}": value for name, value in known.items()}, observations)
    return run.run_id


class Page:
    """Asks a server as the page does."""

    def __init__(self, line):
        self.base, self.token = re.search(r"(http://\S+)/\?token=(\S+)", line).groups()

    def __call__(self, path, body=None):
        """(answer, seconds)."""
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, content, {"X-Token": self.token})
        start = time.perf_counter()
        with urllib.request.urlopen(request, timeout=600) as answer:
            found = answer.read()
        return found, time.perf_counter() - start


def first_queue(page):
    """(rows in order, seconds from the page's request to the first list)."""
    total = 0.0
    for path, body in (("/api/run", None), ("/api/map", None), ("/api/order", {"filter": {"decided": "no"}})):
        found, seconds = page(path, body)
        total += seconds
    rows = np.frombuffer(found, "<u4").tolist()
    return rows, total + page("/api/samples", {"rows": rows[:50]})[1] + page("/api/progress")[1]


def waited(page, path, key):
    """Seconds until an answer has what is made in the background."""
    start = time.perf_counter()
    while not json.loads(page(path)[0])[key]:
        time.sleep(0.2)
    return time.perf_counter() - start


def asked(page, rows):
    """{what: seconds of each request}."""
    found = {
        "next sample": [page(f"/api/sample/{row}")[1] for row in rows[:100]],
        "decision": [
            page("/api/decisions", {"row": row, "action": "drop" if row % 3 else "keep"})[1]
            for row in rows[:100]
        ],
        "order by text": [
            page("/api/order", {"filter": {"text": text}})[1] for text in ("公司", "abc", "一")
        ],
    }
    ring = np.linspace(0, 6.2, 100)
    lasso = np.stack([0.1 + 0.08 * np.cos(ring), 0.5 + 0.3 * np.sin(ring)], axis=1).tolist()
    found["order by lasso"] = [page("/api/order", {"filter": {"polygon": lasso}})[1] for _ in range(3)]
    return found


def serve(run_id):
    """{what: seconds or bytes} of a server on a run."""
    start = time.perf_counter()
    imported = subprocess.run([sys.executable, "-c", "import mlflow, time"], check=True)
    assert imported.returncode == 0
    found = {"importing MLflow": [time.perf_counter() - start]}
    start = time.perf_counter()
    command = [sys.executable, str(ROOT / "src/review.py"), f"run_id={run_id}"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    line = next(line for line in process.stdout if "token=" in line)
    found["start"] = [time.perf_counter() - start]
    page = Page(line)
    try:
        rows, seconds = first_queue(page)
        found["first queue"] = [seconds]
        found |= {f"{name}, at once": values for name, values in asked(page, rows).items()}
        found["histories read"] = [waited(page, f"/api/sample/{rows[0]}", "history")]
        found["neighbors ready"] = [
            time.perf_counter() - start,
            waited(page, f"/api/neighbors/{rows[0]}", "ready"),
        ]
        found["neighbors ready"] = [sum(found["neighbors ready"])]
        found |= asked(page, rows[100:])
        found["neighbors"] = [page(f"/api/neighbors/{row}")[1] for row in rows[:50]]
        status = Path(f"/proc/{process.pid}/status").read_text()
        found["peak memory"] = [int(re.search(r"VmHWM:\s+(\d+)", status).group(1)) * 1024]
    finally:
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        process.wait()
    return found


def shown(name, values):
    """A cell: median, and the worst of several."""
    if name == "peak memory":
        return f"{values[0] / 2**20:,.0f} MB"
    unit, factor = ("s", 1) if max(values) > 2 or len(values) == 1 else ("ms", 1000)
    numbers = [statistics.median(values) * factor, max(values) * factor]
    return (
        " / ".join(f"{number:,.{1 if unit == 's' else 0}f}" for number in numbers[: len(values)]) + f" {unit}"
    )


def speed(sizes="1500,100000,1000000", observations="8"):
    """Markdown: one column a size."""
    found = {}
    for size in map(int, sizes.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            found[size] = serve(make(size, int(observations)))
            os.chdir("/")
    print("| median / worst | " + " | ".join(f"{size:,} samples" for size in found) + " |")
    print("|---|" + "---:|" * len(found))
    for name in next(iter(found.values())):
        print(f"| {name} | " + " | ".join(shown(name, of[name]) for of in found.values()) + " |")


def ranks_of(scores):
    """The samples' places when sorted by descending score, from 1."""
    return (-scores).argsort(kind="stable").argsort() + 1


# ---------------------------------------------------------------- answers


def review_of(samples, folder):
    """A review of generated samples in this process, its decisions in a folder."""
    import pyarrow as pa

    from datamap.review import storage
    from datamap.review.review import About, Review
    from datamap.review.samples import ReviewSamples

    random = np.random.default_rng(0)
    pairs = {name: pa.chunked_array([texts(random, samples)]) for name in ("text_a", "text_b")}
    labels, scores = random.integers(0, 2, samples), random.beta(0.5, 6, samples).astype(np.float32)
    found = ReviewSamples(
        pa.array(range(samples)), ("no", "yes"), labels.astype(np.int32),
        np.where(scores > 0.5, 1 - labels, -1).astype(np.int32), random.integers(0, 4, samples).astype(np.uint8),
        scores, random.random(samples, np.float32) / 4, random.random(samples, np.float32), pairs, pairs["text_a"],
        ranks_of(scores),
    )  # fmt: skip
    estimate = {"count": samples // 20, "low": 0, "high": samples, "known": True}
    about = About("", "", "combined", "epoch", "en", "me", None, estimate)
    return Review(about, found, storage.AppendingStorage(Path(folder)))


def clocked(function, times):
    """[(wall, CPU seconds of this thread)] of each of `times` calls."""
    found = []
    for _ in range(times):
        start, cpu = time.perf_counter(), time.thread_time()
        function()
        found.append((time.perf_counter() - start, time.thread_time() - cpu))
    return found


def first_answers(review):
    """Ask what a page asks first."""
    from datamap.review import queries

    json.dumps(review.described())
    review.map()
    rows = np.frombuffer(review.order(queries.Query(filter=queries.SampleFilter(decided="no")), "me"), "<u4")
    json.dumps(review.listed(rows[:50].tolist(), "me"))
    json.dumps(review.progress("me"))
    return rows.tolist()


def answered(review):
    """{what: [(wall, CPU seconds)]}."""
    from datamap.review import queries

    found = {"first queue": clocked(lambda: first_answers(review), 1)}
    rows = first_answers(review)
    clocked(lambda: review.decide(rows[-1], "keep", None, "me"), 1)  # imports
    ring = np.linspace(0, 6.2, 100)
    lasso = np.stack([0.1 + 0.08 * np.cos(ring), 0.5 + 0.3 * np.sin(ring)], axis=1).tolist()
    filters = {"order by a Chinese text": {"text": "公司"}, "order by an English text": {"text": "abc"}}
    for name, given in {**filters, "order by a lasso of 100 corners": {"polygon": lasso}}.items():
        query = queries.parsed(queries.Query, json.dumps({"filter": given}).encode())
        found[name] = clocked(lambda query=query: review.order(query, "me"), 5)
    shown, decided = iter(rows), iter(rows)
    found["next sample"] = clocked(lambda: json.dumps(review.sample(next(shown), "me")), 100)
    found["decision"] = clocked(lambda: json.dumps(review.decide(next(decided), "drop", None, "me")), 100)
    texts = list(review.samples.texts.values())
    found["indexing the texts"] = clocked(lambda: review.neighbors.build(texts), 1)
    found["neighbors"] = clocked(lambda: json.dumps(review.near(next(shown), "me")), 50)
    return found


def answers(sizes="100000,1000000"):
    """Markdown: one line per answer; wall median and worst, CPU median."""
    for size in map(int, sizes.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            found = answered(review_of(size, folder))
        print(f"| {size:,} samples | median | worst | CPU, median |")
        print("|---|---:|---:|---:|")
        for name, pairs in found.items():
            walls, cpus = zip(*pairs, strict=True)
            cells = [statistics.median(walls), max(walls), statistics.median(cpus)]
            print(f"| {name} | " + " | ".join(f"{1000 * cell:,.1f} ms" for cell in cells) + " |", flush=True)
        print()


# ---------------------------------------------------------------- found


def evidence_of(labels, witnesses):
    """Return what `diagnose` knows of texts alone."""
    from datamap.labels import mislabel

    nothing = np.zeros(len(labels))
    known = mislabel.Evidence(labels, np.zeros(1, int), nothing, nothing, nothing, witnesses=witnesses)
    return mislabel.with_posterior(known)


def log_odds(scores):
    clipped = scores.clip(5e-5, 1 - 5e-5)
    return np.log(clipped / (1 - clipped))


def contradictions(evidence, given):
    """Return log-odds of the best other class by each witness, (samples, witnesses), scaled."""
    rows, found = np.arange(len(given)), []
    for probs in evidence.unseen.values():
        others = probs.copy()
        others[rows, given] = 0
        found.append(np.log(others.max(axis=1).clip(1e-6)) - np.log(probs[rows, given].clip(1e-6)))
    values = np.stack(found, axis=1)
    return (values - values.mean(axis=0)) / values.std(axis=0)


def fitted_scores(odds, inputs, decided, wrong):
    """P(wrong) of all samples by a logistic regression that trusts the score until decisions say otherwise."""
    from scipy.optimize import minimize
    from scipy.special import expit

    values = np.hstack([np.ones((len(odds), 1)), odds[:, None], inputs])
    before = np.append([0.0, 1.0], np.zeros(inputs.shape[1]))
    weights = np.append([2.0, 0.5], np.full(inputs.shape[1], 0.3)) ** -2.0
    seen, signs = values[decided], np.where(wrong[decided], 1.0, -1.0)

    def loss(line):
        margins = signs * (seen @ line)
        slope = weights * (line - before) - seen.T @ (signs * expit(-margins))
        return np.logaddexp(0, -margins).sum() + weights @ (line - before) ** 2 / 2, slope

    return expit(values @ minimize(loss, before, jac=True, method="L-BFGS-B").x)


def simulated(samples, given, way, budget, first):
    """Count the wrong labels that are found among the first 100, 200, … reviewed; the texts' features are made once."""
    from datamap.labels import features, witnesses

    made = features.gram_features(samples.texts_a, samples.texts_b, witnesses.MAX_ROWS, witnesses.BLOCK)
    with mock.patch.object(features, "gram_features", return_value=made):
        return reviewed_in_turn(samples, given, way, budget, first)


def reviewed_in_turn(samples, given, way, budget, first):
    """Do so with any function that makes the features."""
    from datamap.labels import mislabel, witnesses

    wrong, rows = given != samples.labels, np.arange(len(given))
    evidence = evidence_of(given, first)
    ranking, decided, found = mislabel.combined(evidence), np.zeros(len(given), bool), []
    odds = log_odds(ranking)
    for _ in range(budget // BATCH):
        chosen = np.argsort(-np.where(decided, -1, ranking), kind="stable")[:BATCH]
        decided[chosen] = True
        found += wrong[chosen].tolist()
        if len(found) == budget:
            break
        if way in ("retrained", "both"):
            labels = np.where(decided, samples.labels, given)
            evidence = evidence_of(
                labels,
                witnesses.predict_unseen(samples.texts_a, samples.texts_b, labels, len(samples.class_names)),
            )
            ranking = 1 - evidence.opinion.probs[rows, given]
            odds = log_odds(ranking)
        if way in ("logistic", "both"):
            ranking = fitted_scores(odds, contradictions(evidence, given), decided, wrong)
    return np.cumsum(found)[99::100].tolist()


def remaining(data="demo,lcqmc", seeds="1,2,3", reviewed="50,100,200,300"):
    """Markdown: what is said to remain after so many samples were reviewed, and what does."""
    from datamap.labels import mislabel
    from datamap.labels.counting import estimate
    from datamap.review import estimates

    counts = list(map(int, reviewed.split(",")))
    print("| left, estimate (range) | " + " | ".join(f"after {count}" for count in counts) + " |")
    print("|---|" + "---|" * len(counts))
    hits = []
    for name in data.split(","):
        for seed in map(int, seeds.split(",")):
            samples, given, first = flipped(name, seed)
            evidence, wrong = evidence_of(given, first), given != samples.labels
            scores = mislabel.combined(evidence).round(4).astype(np.float32)
            about = estimate(evidence)
            calibrator = estimates.ScoreCalibrator(scores, {"count": about.estimate, "known": about.known})
            order, cells = np.argsort(-scores, kind="stable"), []
            for count in counts:
                rows = order[:count].tolist()
                lesson = calibrator.estimate(order, rows, {row: bool(wrong[row]) for row in rows}, "en")
                said, left = lesson.remaining, int(wrong.sum()) - lesson.wrong
                hits.append(said["low"] <= left <= said["high"])
                cells.append(f"{left}, {said['estimate']} ({said['low']} to {said['high']})")
            print(f"| {name}, {seed} | " + " | ".join(cells) + " |", flush=True)
    print(f"\nThe true number was within the range in {sum(hits)} of {len(hits)} cases.")


def flipped(name, seed):
    """(samples, their labels with some flipped, what models of the texts say of them)."""
    import noisy

    from datamap.labels import witnesses

    warnings.filterwarnings("ignore", module="sklearn")
    samples = getattr(noisy, name)(seed)
    given = noisy.flips("uniform", LEVELS[name], samples, seed)
    return (
        samples,
        given,
        witnesses.predict_unseen(samples.texts_a, samples.texts_b, given, len(samples.class_names)),
    )


def found(data="demo,lcqmc", seeds="1,2,3", ways="static,logistic,retrained,both"):
    """Markdown: wrong labels found, by data set, seed and way."""
    print("| data, seed | wrong | way | found among the first 100, 200, … |")
    print("|---|---:|---|---|")
    for name in data.split(","):
        for seed in map(int, seeds.split(",")):
            samples, given, first = flipped(name, seed)
            for way in ways.split(","):
                counts = simulated(samples, given, way, REVIEWED[name], first)
                total = (given != samples.labels).sum()
                print(f"| {name}, {seed} | {total} | {way} | {', '.join(map(str, counts))} |", flush=True)


if __name__ == "__main__":
    commands = {"speed": speed, "answers": answers, "found": found, "remaining": remaining}
    commands[sys.argv[1]](**dict(argument.split("=", 1) for argument in sys.argv[2:]))
