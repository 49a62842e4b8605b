"""Fine-tuning that observes every training sample as it goes. Knows nothing of MLflow."""

import random
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


def seed_everything(seed):
    """Same seed, same signals, byte for byte on CPU."""
    random.seed(seed)
    np.random.seed(seed)
    paddle.seed(seed)


def fit(model, tokenizer, samples, dev, options, write, report, bar=iter):
    """Fine-tune `model` and observe all `samples` as often as `options.every_steps` says.

    Args:
        model: paddle Layer, (input_ids, token_type_ids) → logits (batch, classes).
        tokenizer: the model's own.
        samples: `dataset.Samples` to train on; dev: ones to measure on, or None.
        options: `FitOptions`.
        write: called with (observation number, arrow table of signals).
        report: called with a `Progress` after each observation.
        bar: wraps the iterable of an epoch's batches, such as tqdm.
    Raises:
        TrainingError: the loss is no longer finite.
    """
    tokens = encode(tokenizer, samples, options.max_length)
    dev_tokens = encode(tokenizer, dev, options.max_length) if dev else None
    steps = -(-len(samples) // options.batch_size)
    optimizer, schedule = _optimizer(model, options, steps * options.epochs)
    recorder = SignalRecorder(write)
    step, started = 0, time.perf_counter()
    for epoch in range(1, options.epochs + 1):
        batches = shuffled_batches(tokens, options.batch_size, [options.seed, epoch])
        for batch in bar(batches):
            step += 1
            loss = _train_step(model, tokens, samples.labels, batch, tokenizer.pad_token_id)
            if not np.isfinite(loss):
                raise TrainingError(
                    f"the loss became {loss} at step {step} (epoch {epoch}); "
                    f"lower the learning rate (trainer.lr={options.lr:g})"
                )
            optimizer.step()
            schedule.step()
            optimizer.clear_grad()
            number = options.observation_at(step, steps)
            if number:
                trained = time.perf_counter()
                metrics = _observe(model, tokenizer, samples, tokens, recorder, number, options)
                if dev:
                    metrics |= _measure(model, tokenizer, dev, dev_tokens, options)
                seconds = {"train_seconds": trained - started, "observe_seconds": time.perf_counter() - trained}
                report(Progress(number, metrics | {f"time/{k}": v for k, v in seconds.items()}))
                started = time.perf_counter()


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


def _train_step(model, tokens, labels, batch, pad):
    loss = paddle.nn.functional.cross_entropy(model(*_pad(tokens, batch, pad)), paddle.to_tensor(labels[batch]))
    loss.backward()
    return float(loss)


def _optimizer(model, options, total_steps):
    schedule = LinearDecayWithWarmup(options.lr, total_steps, options.warmup)
    decayed = {p.name for n, p in model.named_parameters() if "bias" not in n and "norm" not in n}
    optimizer = paddle.optimizer.AdamW(
        learning_rate=schedule,
        parameters=model.parameters(),
        weight_decay=options.weight_decay,
        apply_decay_param_fun=lambda name: name in decayed,
    )
    model.train()
    return optimizer, schedule


def _observe(model, tokenizer, samples, tokens, recorder, number, options):
    logits = evaluate(model, tokens, options.eval_batch_size, tokenizer.pad_token_id)
    if not np.isfinite(logits).all():
        raise TrainingError(
            f"the model's outputs are no longer finite at observation {number}; "
            f"lower the learning rate (trainer.lr={options.lr:g})"
        )
    recorder.record(samples.ids, samples.labels, logits=logits, noisy_labels=samples.s_labels)
    table = recorder.commit(number)
    correct = table["correct"].to_numpy(zero_copy_only=False)
    kinds = {k: samples.s_labels == k for k in KINDS} if samples.s_labels.any() else {}
    return {
        "train/loss": float(table["loss"].to_numpy().mean(dtype=np.float64)),
        "train/accuracy": float(correct.mean()),
        **{f"train/accuracy_{KINDS[k]}": float(correct[of].mean()) for k, of in kinds.items() if of.any()},
    }


def _measure(model, tokenizer, dev, tokens, options):
    logits = evaluate(model, tokens, options.eval_batch_size, tokenizer.pad_token_id)
    return {
        "dev/loss": float(-of_label(log_softmax(logits), dev.labels).mean()),
        "dev/accuracy": float((logits.argmax(axis=1) == dev.labels).mean()),
    }
