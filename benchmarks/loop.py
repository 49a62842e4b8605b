"""Does a curated training set make a better model? The README's loop on the demo data, with several seeds.

    python benchmarks/loop.py [seeds=1,2,3] [folds=3]

For each seed: train, diagnose, curate by each rule, train again with the same seed. Accuracy on data/demo_dev.tsv,
whose labels are right, after the last epoch.
"""

import os
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


def of_seed(seed, folds):
    """{way: (samples, relabelled, dirty samples left, dev accuracy)} of one seed."""
    output = step("train", f"seed={seed}", f"data.folds={folds}", "plot.live=false")
    source = run_of(output)
    step("diagnose", f"run_id={source}")
    found = {"as it is": (1500, 0, 150, accuracy(output))}
    for rule in RULES:
        output = step("curate", f"run_id={source}", f"keep={rule}")
        curated = run_of(output)
        path = f"runs:/{curated}/curated.tsv"
        samples, relabelled = counts(output)
        trained = step("train", f"seed={seed}", "data=file", f"data.path={path}",
                       f"data.dev_path={ROOT / 'data' / 'demo_dev.tsv'}", "plot.live=false")  # fmt: skip
        found[rule] = (samples, relabelled, dirty(curated), accuracy(trained))
    return found


def main(seeds="1,2,3", folds="3"):
    """Print a Markdown table."""
    seeds = seeds.split(",")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        found = [of_seed(seed, folds) for seed in seeds]
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
