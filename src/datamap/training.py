"""Fine-tuning that observes every training sample as it goes. Knows nothing of MLflow."""

import time
from typing import NamedTuple

import numpy as np
import paddle
from paddlenlp.transformers import LinearDecayWithWarmup

from datamap.errors import TrainingError
from datamap.modeling import encode
from datamap.schema import KINDS
from datamap.signals import SignalRecorder, log_softmax, of_label

POOL_BATCHES = 50  # batches that are sorted by length together: long enough to pad little


class Progress(NamedTuple):
    """What training says after each observation: its `number`, and metrics of that moment."""

    number: int
    metrics: dict


def use_device(name):
    """Train on the device of that name ("cpu", "gpu:0", …).

    Raises:
        TrainingError: paddle has no such device here.
    """
    try:
        paddle.set_device(name)
    except (ValueError, RuntimeError, OSError) as error:
        raise TrainingError(f"trainer.device={name}: {str(error).strip().splitlines()[0]}") from error


def seed_weights(seed):
    """Same seed, same signals, byte for byte on CPU.

    Python's and NumPy's global generators stay as they are: training does not use them, and
    MLflow draws run names from one.
    """
    paddle.seed(seed)


class FitOptions(NamedTuple):
    """`trainer` and `signals` of the config, as training needs them."""

    seed: int
    epochs: int
    batch_size: int
    eval_batch_size: int
    max_length: int
    lr: float
    warmup: float
    weight_decay: float
    every_steps: int | None  # None = at each epoch's end

    def observation_at(self, step, steps_per_epoch):
        """Number of the observation due after this step, or None."""
        last = step == steps_per_epoch * self.epochs
        if self.every_steps:
            return step if last or step % self.every_steps == 0 else None
        return step // steps_per_epoch if step % steps_per_epoch == 0 else None


def fit(model, tokenizer, samples, dev, options, write, report, bar=iter):
    """Fine-tune `model` and observe all `samples` as often as `options.every_steps` says.

    Args:
        model: paddle Layer, (input_ids, token_type_ids) → logits (samples, classes).
        tokenizer: the model's own.
        samples: `dataset.Samples` to train on; dev: ones to measure on, or None.
        options: `FitOptions`.
        write: called with (observation number, arrow table of signals).
        report: called with a `Progress` after each observation.
        bar: wraps the iterable of an epoch's batches, such as tqdm.
    Raises:
        TrainingError: the loss or the outputs are no longer finite.
    """
    trainer = _Trainer(model, tokenizer, samples, dev, options, write)
    step = 0
    for epoch in range(1, options.epochs + 1):
        for batch in bar(shuffled_batches(trainer.tokens, options.batch_size, [options.seed, epoch])):
            step += 1
            trainer.train(batch, step)
            number = options.observation_at(step, trainer.steps_per_epoch)
            if number:
                report(trainer.observe(number))


def shuffled_batches(tokens, size, seed):
    """All rows once, in random batches of samples of similar length (list of int arrays)."""
    generator = np.random.default_rng(seed)
    lengths = np.array([len(ids) for ids, _ in tokens])
    order = generator.permutation(len(tokens))
    pools = [order[i : i + size * POOL_BATCHES] for i in range(0, len(order), size * POOL_BATCHES)]
    pools = [pool[np.argsort(lengths[pool], kind="stable")] for pool in pools]
    batches = [pool[i : i + size] for pool in pools for i in range(0, len(pool), size)]
    return [batches[i] for i in generator.permutation(len(batches))]


def evaluate(model, tokens, batch_size, pad):
    """Logits of every sample in evaluation mode, float32 array (samples, classes)."""
    order = np.argsort([len(ids) for ids, _ in tokens], kind="stable")
    batches = [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
    model.eval()
    with paddle.no_grad():
        parts = [model(*_pad(tokens, batch, pad)).astype("float32").numpy() for batch in batches]
    model.train()
    logits = np.concatenate(parts)
    return logits[np.argsort(order)]


def _pad(tokens, batch, pad):
    width = max(len(tokens[row][0]) for row in batch)
    ids = np.full((len(batch), width), pad, np.int64)
    segments = np.zeros((len(batch), width), np.int64)
    for place, row in enumerate(batch):
        ids[place, : len(tokens[row][0])], segments[place, : len(tokens[row][1])] = tokens[row]
    return paddle.to_tensor(ids), paddle.to_tensor(segments)


class _Trainer:
    """A model in training, and what it is trained and measured on."""

    def __init__(self, model, tokenizer, samples, dev, options, write):
        self.model, self.pad, self.options = model, tokenizer.pad_token_id, options
        self.samples, self.tokens = samples, encode(tokenizer, samples, options.max_length)
        self.dev, self.dev_tokens = dev, dev and encode(tokenizer, dev, options.max_length)
        self.recorder = SignalRecorder(write)
        self.steps_per_epoch = -(-len(samples) // options.batch_size)
        self.schedule = LinearDecayWithWarmup(
            options.lr, self.steps_per_epoch * options.epochs, options.warmup
        )
        self.optimizer = _adamw(model, self.schedule, options.weight_decay)
        self.since = time.perf_counter()
        model.train()

    def train(self, batch, step):
        """One step of the optimizer on the rows of `batch`."""
        logits = self.model(*_pad(self.tokens, batch, self.pad))
        loss = paddle.nn.functional.cross_entropy(logits, paddle.to_tensor(self.samples.labels[batch]))
        if not np.isfinite(float(loss)):
            raise TrainingError(
                f"the loss became {float(loss)} at step {step}; "
                f"lower the learning rate (trainer.lr={self.options.lr:g})"
            )
        loss.backward()
        self.optimizer.step()
        self.schedule.step()
        self.optimizer.clear_grad()

    def observe(self, number):
        """Record the signals of all samples as observation `number`, and measure on dev."""
        trained = time.perf_counter()
        metrics = self._record(number)
        if self.dev:
            metrics |= self._measure()
        now = time.perf_counter()
        metrics |= {"time/train_seconds": trained - self.since, "time/observe_seconds": now - trained}
        self.since = now
        return Progress(number, metrics)

    def _record(self, number):
        logits = self._evaluate(self.tokens)
        if not np.isfinite(logits).all():
            raise TrainingError(
                f"the model's outputs are not finite at observation {number}; "
                f"lower the learning rate (trainer.lr={self.options.lr:g})"
            )
        labels, kinds = self.samples.labels, self.samples.s_labels
        self.recorder.record(self.samples.ids, labels, logits=logits, noisy_labels=kinds)
        table = self.recorder.commit(number)
        correct = table["correct"].to_numpy(zero_copy_only=False)
        planted = [kind for kind in KINDS if kinds.any() and (kinds == kind).any()]
        return {
            "train/loss": float(table["loss"].to_numpy().mean(dtype=np.float64)),
            "train/accuracy": float(correct.mean()),
            **{f"train/accuracy_{KINDS[kind]}": float(correct[kinds == kind].mean()) for kind in planted},
        }

    def _measure(self):
        logits = self._evaluate(self.dev_tokens)
        return {
            "validation/loss": float(-of_label(log_softmax(logits), self.dev.labels).mean()),
            "validation/accuracy": float((logits.argmax(axis=1) == self.dev.labels).mean()),
        }

    def _evaluate(self, tokens):
        return evaluate(self.model, tokens, self.options.eval_batch_size, self.pad)


def _adamw(model, schedule, weight_decay):
    decayed = {p.name for n, p in model.named_parameters() if "bias" not in n and "norm" not in n}
    return paddle.optimizer.AdamW(
        learning_rate=schedule,
        parameters=model.parameters(),
        weight_decay=weight_decay,
        apply_decay_param_fun=lambda name: name in decayed,
    )
