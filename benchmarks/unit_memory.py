"""Does memory stay below 1 GB for a million tokens, and for ten million labels of texts?

    python benchmarks/unit_memory.py [scale=1] [tasks=tokens,multilabel] [texts=true]

Tokens: 50,000 sentences of 20 tokens × 9 tags × 10 observations. Several labels: 100,000 texts × 100 labels × 5
observations. The logits are made batch by batch; 2 % of the given labels are wrong. Each command runs in a process of
its own: seconds, and the largest resident size that the kernel saw (ru_maxrss).
"""

import os
import sys
import tempfile

import numpy as np
from runs import ROOT, cost

TAGS = ("O", *(f"{part}-{kind}" for kind in ("PER", "LOC", "ORG", "MISC") for part in "BI"))
LENGTH, LABELS, BATCH = 20, 100, 500
SENTENCES, DOCUMENTS = 50_000, 100_000
OBSERVATIONS = {"tokens": 10, "multilabel": 5}
WRONG = 0.02
COMMANDS = (("summarize",), ("plot",), ("diagnose",))


def truths(task, count):
    """Return the right class of each unit (samples, units)."""
    random = np.random.default_rng(0)
    if task == "tokens":
        return random.choice(len(TAGS), (count, LENGTH), p=[0.76, *[0.03] * 8]).astype(np.int8)
    return (random.random((count, LABELS)) < 0.03).astype(np.int8)


def given(task, right):
    """Return labels of which some are wrong."""
    random = np.random.default_rng(1)
    wrong = random.random(right.shape) < WRONG
    other = random.integers(0, len(TAGS) if task == "tokens" else 2, right.shape, dtype=np.int8)
    return np.where(wrong, other, right)


def rows(task, right, labels):
    """Return texts whose words tell the right classes, as the rows of a training file."""
    random = np.random.default_rng(2)
    words = random.integers(0, 50, right.shape)
    if task == "tokens":
        return [
            {
                "tokens": [f"{TAGS[c].lower()}{w}" for c, w in zip(own, some, strict=True)],
                "tags": [TAGS[c] for c in tags],
            }
            for own, some, tags in zip(right.tolist(), words.tolist(), labels.tolist(), strict=True)
        ]
    return [
        {
            "text": " ".join(f"topic{c} word{words[row, c]}" for c in np.flatnonzero(own)) or "none",
            "labels": [f"label{c}" for c in np.flatnonzero(labels[row])],
        }
        for row, own in enumerate(right)
    ]


def record(task, count, texts):
    """Record a model that comes to know the right classes; print the run's id."""
    import datamap

    right = truths(task, count)
    labels = given(task, right)
    names = TAGS if task == "tokens" else [f"label{c}" for c in range(LABELS)]
    samples = rows(task, right, labels) if texts else None
    random = np.random.default_rng(3)
    with datamap.SignalRecorder(names, samples, task=task) as recorder:
        del samples
        for number in range(1, OBSERVATIONS[task] + 1):
            for start in range(0, count, BATCH):
                some = slice(start, min(start + BATCH, count))
                own = right[some]
                if task == "tokens":
                    logits = random.normal(0, 1, (*own.shape, len(TAGS))).astype(np.float32)
                    np.put_along_axis(logits, own[..., None].astype(int), 1.0 + 0.5 * number, axis=2)
                else:
                    logits = random.normal(0, 1, own.shape).astype(np.float32)
                    logits += (0.5 + 0.5 * number) * (2.0 * own - 1)
                recorder.record(np.arange(some.start, some.stop), labels[some], logits=logits)
            recorder.commit(number)
    print(recorder.run_id)


def measured(task, count, texts):
    """Yield (command, seconds, peak MB)."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        made = [sys.executable, __file__, "record", task, str(count), str(int(texts))]
        yield "record", *cost(made, folder)
        for command in COMMANDS:
            yield command[0], *cost([sys.executable, "-m", "datamap", *command, "run_id=latest"], folder)


def main():
    if sys.argv[1:2] == ["record"]:
        record(sys.argv[2], int(sys.argv[3]), sys.argv[4] == "1")
        return
    options = dict(argument.split("=", 1) for argument in sys.argv[1:])
    scale, texts = float(options.get("scale", 1)), options.get("texts", "true") == "true"
    print("| units × observations | command | seconds | peak MB |\n|---|---|---|---|")
    for task in options.get("tasks", "tokens,multilabel").split(","):
        count = round(scale * (SENTENCES if task == "tokens" else DOCUMENTS))
        number, unit = (LENGTH, "tokens") if task == "tokens" else (LABELS, "labels")
        for command, seconds, _, peak in measured(task, count, texts):
            size = f"{count * number:,} {unit} × {OBSERVATIONS[task]}"
            print(f"| {size} | {command} | {seconds:.0f} | {peak:,.0f} |", flush=True)


if __name__ == "__main__":
    os.environ.setdefault("PYTHONPATH", str(ROOT / "src"))
    main()
