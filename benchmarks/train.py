"""Training and tokenizing: ours against PaddleNLP's own Trainer and tokenizer.

    python benchmarks/train.py [rounds=5] [shapes=2x128x1500,4x312x300,12x768x64] [pairs=240000]

Training: epochs of each way in one process, interleaved, each with a model and an optimizer of its own, of
layers × width on that many samples of the demo data. PaddleNLP's time is from its callback at an epoch's
beginning to that at its end, so that nothing of its start counts. Goal (issue 14): at least as fast.
Tokenizing: the demo's pairs over and over; PaddleNLP's tokenizer takes a tenth of them. Goal: 6 s for 240,000.
"""

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

import collect  # noqa: E402
import paddle  # noqa: E402
from paddlenlp.data import DataCollatorWithPadding  # noqa: E402
from paddlenlp.trainer import Trainer, TrainerCallback, TrainingArguments  # noqa: E402

from datamap.data import dataset  # noqa: E402
from datamap.paddle_backend import encoding, modeling  # noqa: E402
from datamap.paddle_backend.tokens import Tokens  # noqa: E402
from datamap.paddle_backend.trainer import use_device  # noqa: E402
from datamap.training import shares  # noqa: E402

SHARE = 10  # of the pairs, PaddleNLP's tokenizer takes one of so many


class Clock(TrainerCallback):
    """Seconds of wall and of CPU between the beginning and the end of an epoch."""

    def on_epoch_begin(self, *arguments, **named):
        self.start = now()

    def on_epoch_end(self, *arguments, **named):
        self.took = since(self.start)


class Theirs(Trainer):
    """PaddleNLP's Trainer; with `batches`, on these rows instead of random ones."""

    batches = None

    def get_train_dataloader(self):
        if self.batches is None:
            return super().get_train_dataloader()
        return paddle.io.DataLoader(
            self.train_dataset, batch_sampler=self.batches, collate_fn=self.data_collator
        )


def now():
    return time.perf_counter(), time.process_time()


def since(start):
    return [end - begin for begin, end in zip(start, now(), strict=True)]


def theirs(trainer, number, by_length):
    """An epoch by PaddleNLP's Trainer, on the model of one of our trainers."""
    tokens, labels = trainer.tokens, trainer.samples.labels
    rows = [
        {
            "input_ids": tokens.ids[start : start + length].tolist(),
            "token_type_ids": tokens.segments[start : start + length].tolist(),
            "labels": int(label),
        }
        for start, length, label in zip(tokens.starts, tokens.lengths, labels, strict=True)
    ]
    arguments = TrainingArguments(
        output_dir="out", num_train_epochs=1, per_device_train_batch_size=trainer.options.batch_size,
        learning_rate=trainer.options.lr, report_to=[], save_strategy="no", disable_tqdm=True,
        device="cpu", max_grad_norm=0.0, logging_steps=10**6,
    )  # fmt: skip
    clock = Clock()
    loop = Theirs(
        trainer.model,
        criterion=paddle.nn.CrossEntropyLoss(),
        args=arguments,
        data_collator=DataCollatorWithPadding(trainer.classifier.tokenizer),
        train_dataset=rows,
        callbacks=[clock],
    )
    if by_length:
        loop.batches = [batch.tolist() for batch in trainer.batches(number)]
    loop.train()
    return clock.took


def ours(trainer, number, threads):
    """An epoch of ours, without signals, as PaddleNLP's has none."""
    use_device("cpu", threads)
    start = now()
    for batch in trainer.batches(number):
        trainer.train(batch)
    took = since(start)
    use_device("cpu", 1)
    return took


def ways():
    """{name: (trainer, number of the epoch) → [seconds, CPU seconds]}; what all are held against comes first."""
    found = {
        "PaddleNLP's Trainer": lambda trainer, number: theirs(trainer, number, False),
        "the same, batches of similar length": lambda trainer, number: theirs(trainer, number, True),
        "ours": lambda trainer, number: ours(trainer, number, 1),
    }
    cores = shares.cores()
    if cores > 1:
        found[f"ours, {cores} threads"] = lambda trainer, number: ours(trainer, number, cores)
    return found


def training(rounds, shapes):
    """Print a table of epochs a minute."""
    print(
        "| layers × width | samples | an epoch by | epochs a minute | × PaddleNLP | of each round | CPU seconds |"
    )
    print("|---|---:|---|---:|---:|---|---:|")
    for shape in shapes.split(","):
        layers, width, count = map(int, shape.split("x"))
        samples = demo()
        samples = dataset.draw(samples, count, 1) if count < len(samples) else samples
        trainers = {way: collect.trainer_of(way, samples, layers, width, rounds) for way in ways()}
        took = {way: [] for way in trainers}
        for number in range(1, rounds + 2):
            order = list(ways().items())
            for way, epoch in order if number % 2 else reversed(order):
                took[way].append(epoch(trainers[way], number))
        took = {way: found[1:] for way, found in took.items()}  # the first warms up
        first = [seconds for seconds, _ in next(iter(took.values()))]
        for way, found in took.items():
            ratios = [one / seconds for one, (seconds, _) in zip(first, found, strict=True)]
            seconds, cpu = (statistics.median(column) for column in zip(*found, strict=True))
            print(
                f"| {layers} × {width} | {count:,} | {way} | {60 / seconds:.2f} | {statistics.median(ratios):.2f} "
                f"| {min(ratios):.2f} to {max(ratios):.2f} | {cpu:.2f} |",
                flush=True,
            )


def demo():
    """The samples of the demo."""
    return dataset.load_samples(str(ROOT / "data" / "demo.tsv"), dict.fromkeys(dataset.COLUMNS, "auto"))


def tokenizing(rounds, pairs):
    """Print a table of seconds, and hold the numbers of both ways against each other."""
    samples = demo()
    texts = list(zip(samples.texts_a, samples.texts_b, strict=True))
    texts = (texts * (pairs // len(texts) + 1))[:pairs]
    tokenizer = modeling.character_tokenizer(samples.texts_a + samples.texts_b)
    few = texts[: pairs // SHARE]
    took = {"PaddleNLP's tokenizer": [], "ours": []}
    for _ in range(rounds):
        start = now()
        slow = Tokens.from_lists(encoding.encode_by_tokenizer(tokenizer, few, 64))
        took["PaddleNLP's tokenizer"].append([SHARE * seconds for seconds in since(start)])
        start = now()
        fast = Tokens.from_lists(encoding.encode_fast(tokenizer, texts, 64))
        took["ours"].append(since(start))
        assert (fast.ids[: len(slow.ids)] == slow.ids).all()
    print("\n| pairs | by | seconds | CPU seconds | × PaddleNLP |\n|---:|---|---:|---:|---:|")
    first = statistics.median(cpu for _, cpu in took["PaddleNLP's tokenizer"])
    for way, found in took.items():
        seconds, cpu = (statistics.median(column) for column in zip(*found, strict=True))
        print(f"| {pairs:,} | {way} | {seconds:.2f} | {cpu:.2f} | {first / cpu:.1f} |", flush=True)


def main(rounds=5, shapes="2x128x1500,4x312x300,12x768x64", pairs=240_000):
    """Print two Markdown tables."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        training(int(rounds), shapes)
        os.chdir(ROOT)
    tokenizing(int(rounds), int(pairs))


if __name__ == "__main__":
    main(**dict(argument.split("=", 1) for argument in sys.argv[1:]))
