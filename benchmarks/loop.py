"""Does a curated training set make a better model? The README's loop, with several seeds.

    python benchmarks/loop.py [data=demo,tweets,lcqmc] [seeds=1,2,3] [folds=null] [embeddings=<file>] [out=loop.jsonl]

Data sets are those of benchmarks/noisy.py with 10 % of the labels flipped, or the demo with its own dirty labels. For
each seed: train, diagnose, curate by each rule, train again with the same seed; beside that, drop as many samples at
random, and exactly the planted ones. Accuracy on development data, whose labels are right, after the last epoch.
`embeddings` is a .npz file with `texts` and their vectors `e`: everything is curated a second time with them.
Each training is a line in `out`; what is there is not trained again.
"""

import contextlib
import io
import json
import os
import random
import re
import statistics
import sys
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from mlflow import MlflowClient

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "benchmarks")]

import noisy  # noqa: E402
from forked import call  # noqa: E402

from datamap.data.dataset import COLUMNS, load_samples  # noqa: E402
from datamap.schema import DIRTY  # noqa: E402

LEVEL, TRAIN, DEV = 0.1, 2000, 1500
EPOCHS, BATCH = 8, 32  # of model=tiny
RULES = ("clean", "relabelled")


def step(command, *arguments):
    """Return what a command prints; all commands run in this process, which imports Paddle once."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        code = call(command, list(arguments))
    if code:
        raise SystemExit(f"datamap {command} {' '.join(arguments)}: exit code {code}\n{printed.getvalue()}")
    return printed.getvalue()


def run_of(output):
    return re.findall(r"^run (\w+)  \(", output, re.MULTILINE)[-1]


def counts(run_id):
    """(samples, relabeled ones) of a curated run."""
    metrics = MlflowClient().get_run(run_id).data.metrics
    return int(metrics["training_file/samples"]), int(metrics["training_file/relabelled"])


def artifact(run_id, path):
    """Lines of a file of a run."""
    (file,) = Path("mlruns").glob(f"*/{run_id}/artifacts/{path}")
    return file.read_text(encoding="utf-8").splitlines()


def data_of(name, seed):
    """(training samples with 10 % of the labels flipped, development samples) of a data set of noisy.py."""
    samples = getattr(noisy, name)(seed)
    if name == "tweets":
        others, known = noisy.tweets(seed + 1000), set(samples.texts_a)
        dev = others.take(row for row, text in enumerate(others.texts_a) if text not in known)
    else:
        dev = samples.take(range(TRAIN, len(samples)))
    dev, samples = dev.take(range(min(DEV, len(dev)))), samples.take(range(TRAIN))
    given = noisy.flips("uniform", LEVEL, samples, seed)
    planted = np.where(given == samples.labels, 0, DIRTY)
    return replace(samples, labels=given, planted=planted), dev


def write(samples, path):
    """A file of samples; blanks within texts are one space each."""
    columns = [samples.texts_a, *([samples.texts_b] if samples.texts_b else [])]
    numbers = (map(str, values.tolist()) for values in (samples.labels, samples.planted))
    rows = zip(*columns, *numbers, strict=True)
    header = ["text_a", *(["text_b"] if samples.texts_b else []), "label", "s_label"]
    lines = ["\t".join(" ".join(cell.split()) for cell in row) for row in rows]
    Path(path).write_text("\n".join(["\t".join(header), *lines]) + "\n", encoding="utf-8")


def options(name, seed):
    """Options of `train` that name training and development data."""
    if name == "demo":
        return [], [f"data.dev_path={ROOT / 'data' / 'demo_dev.tsv'}"]
    for file, samples in zip((f"train-{seed}.tsv", f"dev-{seed}.tsv"), data_of(name, seed), strict=True):
        write(samples, file)
    return ["data=file", f"data.path=train-{seed}.tsv", "data.columns.s_label=s_label"], [
        f"data.dev_path=dev-{seed}.tsv"
    ]


def vectors(path, run_id):
    """`embeddings=` of diagnose: files in the order of the run's samples."""
    found = np.load(path)
    rows = dict(zip(found["texts"].tolist(), found["e"], strict=True))
    (file,) = Path("mlruns").glob(f"*/{run_id}/artifacts/data/samples.tsv")
    samples = load_samples(file, dict.fromkeys(COLUMNS, "auto"))
    paths = []
    for name, texts in (("a.npy", samples.texts_a), ("b.npy", samples.texts_b)):
        if texts:
            np.save(name, np.stack([rows[text] for text in texts]))
            paths.append(name)
    return f"[{','.join(paths)}]" if len(paths) > 1 else paths[0]


def dirty(lines):
    return sum(line.endswith("\t2") for line in lines)


def of_seed(name, seed, folds, embeddings, keep):
    """Train and curate with one seed; `keep(way, samples, relabelled, dirty left, accuracy)` is told of each way."""
    data, dev = options(name, seed)

    def train(path, samples):
        """Observe at the end only: nothing else is asked of these trainings."""
        steps = f"signals.every={EPOCHS * -(-samples // BATCH)}"
        options = ("data=file", f"data.path={path}", steps, "plot.live=false", "trainer.checkpoint=none")
        return step("train", f"seed={seed}", *options, *dev)

    output = step("train", f"seed={seed}", f"data.folds={folds}", "plot.live=false", *data, *dev)
    source = run_of(output)
    rows = artifact(source, "data/samples.tsv")
    keep("as it is", len(rows) - 1, 0, dirty(rows), output)
    kept = None
    for note, extra in (("", []), *([(", embeddings", [embeddings])] if embeddings else [])):
        said = step(
            "diagnose", f"run_id={source}", *(f"embeddings={vectors(path, source)}" for path in extra)
        )
        share = re.findall(r"share=[\d.]+", said)  # what diagnose proposes where the number cannot be known
        for rule in RULES:
            try:
                said = step("curate", f"run_id={source}", f"keep={rule}", *share[:1])
            except SystemExit:
                if rule == "clean":
                    raise
                continue  # no proposal is sure enough to relabel by
            curated = run_of(said)
            samples, relabelled = counts(curated)
            kept = kept or samples
            path = f"runs:/{curated}/curated.tsv"
            left = dirty(artifact(curated, "curated.tsv"))
            keep(rule + note, samples, relabelled, left, train(path, samples))
    chosen = sorted(random.Random(seed).sample(range(1, len(rows)), kept))
    others = {
        "as many dropped at random": [rows[0], *(rows[i] for i in chosen)],
        "exactly the flipped dropped (oracle)": [rows[0], *(row for row in rows[1:] if not row.endswith("\t2"))],
    }  # fmt: skip
    for way, left in others.items():
        Path("other.tsv").write_text("\n".join(left) + "\n", encoding="utf-8")
        keep(way, len(left) - 1, 0, dirty(left), train("other.tsv", len(left) - 1))


def keep(out, job, way, samples, relabelled, left, output):
    """Append a training's result to the file `out`."""
    accuracy = float(re.findall(r"dev accuracy ([\d.]+)", output)[-1])
    with out.open("a", encoding="utf-8") as file:
        print(
            json.dumps({"job": job, "way": way, "values": [samples, relabelled, left, accuracy]}), file=file
        )


def main(data="demo", seeds="1,2,3", folds="null", embeddings="", out="loop.jsonl"):
    """Measure what `out` lacks, and print Markdown tables."""
    out = Path(out).resolve()
    wanted = [(name, int(seed)) for name in data.split(",") for seed in seeds.split(",")]
    done = {tuple(one["job"]) for one in lines_of(out) if one["way"].endswith("(oracle)")}
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for name, seed in wanted:
            if (name, seed) not in done:
                of_seed(name, seed, folds, embeddings, partial(keep, out, [name, seed]))
        os.chdir(ROOT)
    for name in data.split(","):
        print_table(
            name, [one for one in lines_of(out) if tuple(one["job"]) in wanted and one["job"][0] == name]
        )


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def print_table(name, lines):
    """Markdown: one line a way, means over the seeds."""
    print(f"\n| {name} | samples | relabeled | dirty left | accuracy of each seed | mean |")
    print("|---|---:|---:|---:|---|---:|")
    ways = {}
    for one in lines:
        ways.setdefault(one["way"], {})[one["job"][1]] = one["values"]
    for way, values in ways.items():
        samples, relabelled, left, accuracy = (
            statistics.mean(one[k] for one in values.values()) for k in range(4)
        )
        each = " ".join(f"{one[3]:.3f}" for one in values.values())
        print(f"| {way} | {samples:,.0f} | {relabelled:.0f} | {left:.0f} | {each} | {accuracy:.3f} |")


if __name__ == "__main__":
    main(**dict(argument.split("=", 1) for argument in sys.argv[1:]))
