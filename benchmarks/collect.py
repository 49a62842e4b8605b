"""Measure the cost of collecting signals: an epoch without it, with collect=train, with collect=eval, and naively.

    python benchmarks/collect.py [rounds=5] [shapes=2x128x1500,4x312x300]     layers × width × samples

In one process, interleaved, medians of `rounds` epochs of each; every way trains its own model from the
same seed on the demo data and logs into a real local MLflow store. Goals (issue 3) on 2 cores:
train ≤ 1.03 × the epoch without collecting, eval ≤ 1.25 ×.
"""

import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

from datamap import config, schema  # noqa: E402
from datamap.data import dataset  # noqa: E402
from datamap.paddle_backend import modeling, trainer  # noqa: E402
from datamap.paddle_backend.options import FitOptions  # noqa: E402
from datamap.signals import shards  # noqa: E402
from datamap.tracking.delivery import Delivery  # noqa: E402
from datamap.tracking.outbox import Outbox  # noqa: E402
from datamap.tracking.store import Store  # noqa: E402

WAYS = ("without", "train", "eval", "naive")


def trainer_of(way, samples, layers, width, rounds):
    """A `Trainer` whose every epoch is one round."""
    # At 1e-3 a wide model diverges, and its steps take eight times longer.
    lr = 1e-3 if width < 256 else 3e-5
    scratch = config.ScratchConfig(
        layers=layers,
        hidden_size=width,
        intermediate_size=4 * width,
        heads=4,
        dropout=0.0,
        initializer_range=0.03,
    )
    named = config.ModelConfig(
        name="x", name_or_path=None, max_length=64, lr=lr, epochs=1, batch_size=32, scratch=scratch
    )
    trainer.seed_weights(1)
    classifier = modeling.build(named, samples.texts_a + samples.texts_b, samples.class_names)
    options = FitOptions(
        seed=1,
        epochs=rounds + 1,
        batch_size=32,
        eval_batch_size=128,
        max_length=64,
        lr=lr,
        warmup=0.1,
        weight_decay=0.01,
        every_steps=None,
        collect="train" if way == "train" else "eval",
    )
    return trainer.Trainer(classifier, samples, options)


def epoch_of(way, trainer, number, write, log):
    """One epoch in a way; returns seconds."""
    start = time.perf_counter()
    for batch in trainer.batches(number):
        trainer.train(batch)
    if way in ("train", "eval"):
        write(number, trainer.observe(number).signals)
    elif way == "naive":
        log(number, naive(trainer))
    return time.perf_counter() - start


def naive(trainer):
    """Signals as simple code takes them: sample by sample, a dictionary each, one JSON line each."""
    import numpy as np
    import paddle

    lines = []
    trainer.model.eval()
    for row in range(len(trainer.samples)):
        ids, segments = trainer.tokens.batch(np.array([row]), trainer.classifier.tokenizer.pad_token_id)
        label = int(trainer.samples.labels[row])
        with paddle.no_grad():
            logits = trainer.model(paddle.to_tensor(ids), paddle.to_tensor(segments))
            loss = paddle.nn.functional.cross_entropy(logits, paddle.to_tensor([label]))
            probs = paddle.nn.functional.softmax(logits)[0].tolist()
        pred = probs.index(max(probs))
        record = {
            "id": trainer.samples.ids[row],
            "label": label,
            "pred_label": pred,
            "correct": pred == label,
        }
        lines.append(json.dumps({**record, "loss": float(loss), "probs": probs, "label_probs": probs[label]}))
    trainer.model.train()
    return lines


def measure(layers, width, count, rounds):
    """{way: [seconds of each round]}, after a round that warms up."""
    path = str(ROOT / "data" / "demo.tsv")
    samples = dataset.load_samples(path, dict.fromkeys(dataset.COLUMNS, "auto"))
    samples = dataset.draw(samples, count, 1) if count < len(samples) else samples
    found = {way: [] for way in WAYS}
    with Store(create=True).new_run() as run:
        run.begin()
        _train_each_way(run, samples, layers, width, rounds, found)
    return {way: seconds[1:] for way, seconds in found.items()}


def _train_each_way(run, samples, layers, width, rounds, found):
    with Outbox(run, 60, "spool") as outbox:

        def write(number, table):
            def files():
                return shards.files(table, "epoch", number, 100_000)

            outbox.put(Delivery(number, files, {schema.COMMIT_METRIC: table.num_rows}))

        def log(number, lines):
            run.log_text("\n".join(lines) + "\n", f"naive/epoch_{number}.jsonl")

        trainers = {way: trainer_of(way, samples, layers, width, rounds) for way in WAYS}
        for number in range(1, rounds + 2):
            for way in WAYS if number % 2 else reversed(WAYS):
                found[way].append(epoch_of(way, trainers[way], number, write, log))


def main(rounds=5, shapes="2x128x1500,4x312x300"):
    """Print a Markdown table."""
    print("| layers × width | samples | an epoch | seconds | × without | smallest and largest ratio |")
    print("|---|---:|---|---:|---:|---|")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for shape in shapes.split(","):
            layers, width, count = map(int, shape.split("x"))
            found = measure(layers, width, count, int(rounds))
            for way, seconds in found.items():
                ratios = [a / b for a, b in zip(seconds, found["without"], strict=True)]
                print(
                    f"| {layers} × {width} | {count:,} | {way} | {statistics.median(seconds):.3f} | "
                    f"{statistics.median(ratios):.3f} | {min(ratios):.2f} to {max(ratios):.2f} |",
                    flush=True,
                )
        os.chdir(ROOT)


if __name__ == "__main__":
    main(**dict(argument.split("=", 1) for argument in sys.argv[1:]))
