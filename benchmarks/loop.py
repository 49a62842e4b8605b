"""Does a curated training set make a better model? The README's loop, with several seeds.

    python benchmarks/loop.py [seeds=1,2,3] [folds=null] [path=<text_a, text_b, label, without a header>]

On the demo data, or on 4,000 rows of a file with 10 % of the labels flipped. For each seed: train, diagnose, curate by
each rule, train again with the same seed; beside that, drop as many samples at random, and exactly the planted ones.
Accuracy on development data, whose labels are right, after the last epoch.
"""

import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RULES = ("clean", "relabelled")


def step(script, *arguments):
    """What a step prints."""
    command = [sys.executable, str(ROOT / "src" / f"{script}.py"), *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def accuracy(output):
    """Dev accuracy of the last epoch."""
    return float(re.findall(r"dev accuracy ([\d.]+)", output)[-1])


def run_of(output):
    return re.findall(r"^run (\w+)  \(", output, re.MULTILINE)[-1]


def counts(output):
    """(samples, relabelled) that curate says."""
    samples, relabelled = re.search(
        r"curated.tsv: ([\d,]+) of [\d,]+ samples, ([\d,]+) relabelled", output
    ).groups()
    return int(samples.replace(",", "")), int(relabelled.replace(",", ""))


def dirty(run_id):
    """How many samples of a curated file still have a label that was planted wrong."""
    (file,) = Path("mlruns").glob(f"*/{run_id}/artifacts/curated.tsv")
    return sum(line.endswith("\t2") for line in file.read_text(encoding="utf-8").splitlines())


def rows_of(run_id):
    """The samples of a run as rows of text: id, texts, label and s_label, with a header."""
    (file,) = Path("mlruns").glob(f"*/{run_id}/artifacts/data/samples.tsv")
    return file.read_text(encoding="utf-8").splitlines()


def others(rows, count, seed):
    """{way: rows}: as many dropped at random as `keep=clean` drops, and exactly the planted ones."""
    kept = sorted(random.Random(seed).sample(range(1, len(rows)), count))
    return {
        "random": [rows[0], *(rows[i] for i in kept)],
        "oracle": [rows[0], *(row for row in rows[1:] if not row.endswith("\t2"))],
    }


def of_seed(seed, folds, data):
    """{way: (samples, relabelled, dirty samples left, dev accuracy)} of one seed."""
    output = step("train", f"seed={seed}", f"data.folds={folds}", "plot.live=false", *data)
    source, dev = run_of(output), [option for option in data if option.startswith("data.dev_path")]
    step("diagnose", f"run_id={source}")
    rows = rows_of(source)
    found = {"as it is": (len(rows) - 1, 0, sum(row.endswith("\t2") for row in rows), accuracy(output))}

    def train(path):
        return accuracy(
            step("train", f"seed={seed}", "data=file", f"data.path={path}", "plot.live=false", *dev)
        )

    for rule in RULES:
        output = step("curate", f"run_id={source}", f"keep={rule}")
        samples, relabelled = counts(output)
        found[rule] = (
            samples,
            relabelled,
            dirty(run_of(output)),
            train(f"runs:/{run_of(output)}/curated.tsv"),
        )
    for way, left in others(rows, found["clean"][0], seed).items():
        Path(f"{way}.tsv").write_text("\n".join(left) + "\n", encoding="utf-8")
        left_dirty = sum(row.endswith("\t2") for row in left)
        found[way] = (len(left) - 1, 0, left_dirty, train(f"{way}.tsv"))
    return found


def split(path, folder):
    """Options that train on 4,000 rows of a file with 10 % of the labels flipped, and measure on 1,500 others."""
    rows = Path(path).read_text(encoding="utf-8").rstrip("\n").split("\n")
    random.Random(0).shuffle(rows)
    for name, part in (("train.tsv", rows[:4000]), ("dev.tsv", rows[4000:5500])):
        Path(folder, name).write_text("\n".join(part) + "\n", encoding="utf-8")
    return [
        "data=file",
        f"data.path={folder}/train.tsv",
        f"data.dev_path={folder}/dev.tsv",
        "data.flip_ratio=0.1",
    ]


def main(seeds="1,2,3", folds="null", path=""):
    """Print a Markdown table."""
    seeds = seeds.split(",")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        dev = f"data.dev_path={ROOT / 'data' / 'demo_dev.tsv'}"
        data = split(path, folder) if path else [dev]
        found = [of_seed(seed, folds, [*data, f"data.seed={seed}"]) for seed in seeds]
        os.chdir(ROOT)
    print(
        "| training set | samples | relabelled | dirty left | "
        + " | ".join(f"seed {s}" for s in seeds)
        + " | mean |"
    )
    print("|---|---:|---:|---:|" + "---:|" * (len(seeds) + 1))
    for way in found[0]:
        means = [statistics.mean(one[way][k] for one in found) for k in range(4)]
        each = " | ".join(f"{one[way][3]:.3f}" for one in found)
        print(
            f"| {way} | {means[0]:,.0f} | {means[1]:.0f} | {means[2]:.0f} | {each} | {means[3]:.3f} |",
            flush=True,
        )


if __name__ == "__main__":
    main(**dict(argument.split("=", 1) for argument in sys.argv[1:]))
