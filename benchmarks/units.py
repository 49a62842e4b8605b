"""What finds wrong tags of entities?

    python benchmarks/units.py path=<CoNLL file with right tags> [rates=0.1] [seeds=1,2,3] [sentences=2000]

For each seed and rate: plant errors that annotators make in so many of the entities (missed, wrong type, wrong border;
and half as many invented ones), train with the README's defaults, and rank the tokens by each score of `datamap
diagnose`. `window` is cleanlab's self-confidence of a logistic regression on each token and its neighbors, out of fold:
the cheapest peer that needs no training of ours.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
SCORES = ("combined", "confidence", "aum", "forgetting", "window", "lexicon")
FOUND = re.compile(r"auroc ([\d.]+), average precision ([\d.]+)")


def sentences(path):
    """Return [(tokens, tags)] of a CoNLL file, shortest lines left as they are."""
    found = []
    for block in re.split(r"\n\s*\n", Path(path).read_text(encoding="utf-8")):
        rows = [
            line.split() for line in block.splitlines() if line.strip() and not line.startswith("-DOCSTART-")
        ]
        if rows:
            found.append(([row[0] for row in rows], [row[-1] for row in rows]))
    return found


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


def damaged(tags, rate, kinds, random):
    """Return tags with errors in a share of the entities, and some invented ones."""
    tags = list(tags)
    for start, end in entities(tags):
        if random.random() >= rate:
            continue
        error = random.choice(["missed", "type", "border"])
        own = tags[start][2:]
        if error == "type" and len(kinds) > 1:
            other = random.choice([kind for kind in kinds if kind != own])
            tags[start:end] = [tag[:2] + other for tag in tags[start:end]]
        elif error == "border" and end - start > 1:
            tags[end - 1] = "O"
        elif error == "border" and end < len(tags) and tags[end] == "O":
            tags[end] = f"I-{own}"
        else:
            tags[start:end] = ["O"] * (end - start)
        if random.random() < 0.5:
            place = random.integers(len(tags))
            if tags[place] == "O" and not tags[min(place + 1, len(tags) - 1)].startswith("I-"):
                tags[place] = f"B-{random.choice(kinds)}"
    return tags


def step(*arguments):
    """What a command prints."""
    return subprocess.run(
        [sys.executable, "-m", "datamap", *arguments], check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def measured(path, rate, seed, count, folder):
    """Return {score: (AUROC, average precision)}, and the share of wrong tags."""
    random = np.random.default_rng(seed)
    known = sentences(path)
    chosen = [known[place] for place in random.permutation(len(known))[:count]]
    kinds = sorted({tag[2:] for _, tags in chosen for tag in tags if tag.startswith("B-")})
    lines, wrong, total = [], 0, 0
    for tokens, tags in chosen:
        given = damaged(tags, rate, kinds, random)
        dirty = [2 * (a != b) for a, b in zip(tags, given, strict=True)]
        wrong, total = wrong + sum(map(bool, dirty)), total + len(tags)
        lines += [
            f"{token}\t{kind}\t{tag}" for token, kind, tag in zip(tokens, dirty, given, strict=True)
        ] + [""]
    file = Path(folder, f"noisy-{seed}.conll")
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    store = f"tracking.uri=sqlite:///{folder}/{seed}-{rate}.db"
    step(
        "train",
        "data=file",
        "data.task=tokens",
        f"data.path={file}",
        "data.columns.s_label=1",
        f"seed={seed}",
        store,
    )
    found = {}
    for score in SCORES:
        said = FOUND.search(step("diagnose", "run_id=latest", f"score={score}", store))
        assert said
        found[score] = float(said[1]), float(said[2])
    return found, wrong / total


def main():
    given = dict(argument.split("=", 1) for argument in sys.argv[1:])
    path, count = str(Path(given["path"]).resolve()), int(given.get("sentences", 2000))
    print("| errors in | wrong tags | " + " | ".join(SCORES) + " |")
    print("|---|---|" + "---|" * len(SCORES))
    for rate in map(float, given.get("rates", "0.1").split(",")):
        every, share = [], []
        for seed in map(int, given.get("seeds", "1,2,3").split(",")):
            with tempfile.TemporaryDirectory() as folder:
                found, wrong = measured(path, rate, seed, count, folder)
            every.append([found[score] for score in SCORES])
            share.append(wrong)
        cells = " | ".join(f"{ap:.3f} / {auroc:.3f}" for auroc, ap in np.mean(every, axis=0))
        print(f"| {rate:.0%} of the entities | {np.mean(share):.1%} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
