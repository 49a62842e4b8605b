"""Fine-tuning that observes every training sample as it goes. Knows nothing of MLflow."""

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import paddle
from paddlenlp.transformers import LinearDecayWithWarmup

from datamap.errors import TrainingError
from datamap.schema import KINDS
from datamap.signals.compute import ObservationCollector, log_softmax, of_label
from datamap.training.checkpoints import Checkpoint
from datamap.training.modeling import encode, first_token_only
from datamap.training.processes import Ranks


class Progress(NamedTuple):
    """What training says after each observation: its `number`, and metrics of that moment.

    `checkpoint()` copies the state of training as it is then; `fit` goes on from it.
    """

    number: int
    metrics: dict
    checkpoint: Callable


def use_device(name):
    """Train on the device of that name ("cpu", "gpu:0", …).

    Raises:
        TrainingError: paddle has no such device here.
    """
    try:
        paddle.set_device(name)
    except (ValueError, RuntimeError, OSError) as error:
        raise TrainingError(f"trainer.device={name}: {str(error).strip().splitlines()[0]}") from error


def seed_weights(seed, step=0):
    """Seed paddle for the weights, or for a step: same seed, same signals, byte for byte on CPU.

    That a step's random numbers depend on nothing before it lets training go on from a checkpoint
    without a generator's state. Python's and NumPy's global generators stay as they are: training
    does not use them, and MLflow draws run names from one.
    """
    paddle.seed(int(np.random.SeedSequence([seed, step]).generate_state(1)[0]))


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
    collect: str = "eval"  # or "train": from the training step's own forward pass

    def observation_at(self, step, steps_per_epoch):
        """Number of the observation due after this step, or None."""
        last = step == steps_per_epoch * self.epochs
        if self.every_steps:
            return step if last or step % self.every_steps == 0 else None
        return step // steps_per_epoch if step % steps_per_epoch == 0 else None


def fit(
    model, tokenizer, samples, dev, options, write, report, bar=iter, start=None, ranks=None, observed=None
):
    """Fine-tune `model` and observe all `samples` as often as `options.every_steps` says.

    Args:
        model: paddle Layer, (input_ids, token_type_ids) → logits (samples, classes).
        tokenizer: the model's own.
        samples: `dataset.Samples` to train on; dev: ones to measure on, or None.
        options: `FitOptions`.
        write: called with (observation number, arrow table of signals).
        report: called with a `Progress` after each observation.
        bar: wraps the iterable of an epoch's batches, such as tqdm.
        start: `Checkpoint` to go on from, or None.
        ranks: `Ranks` that train together, each on its part of every batch and observing its part
            of the samples; None = this process alone.
        observed: `Samples` to observe instead of those that are trained on, in evaluation mode.
    Raises:
        TrainingError: the loss or the outputs are no longer finite, or `start` is not of this model.
    """
    trainer = Trainer(model, tokenizer, samples, dev, options, write, ranks or Ranks(), observed)
    done = trainer.restore(start) if start else 0
    for epoch in range(1 + done // trainer.steps_per_epoch, options.epochs + 1):
        first = (epoch - 1) * trainer.steps_per_epoch + 1
        batches = trainer.batches(epoch)[max(0, done + 1 - first) :]
        for step, batch in enumerate(bar(batches), max(first, done + 1)):
            trainer.train(batch, step)
            number = options.observation_at(step, trainer.steps_per_epoch)
            if number:
                metrics = trainer.observe(number)
                report(Progress(number, metrics, lambda n=number, s=step: trainer.checkpoint(n, s)))


class Trainer:
    """A model in training, and what it is trained and measured on."""

    def __init__(self, model, tokenizer, samples, dev, options, write, ranks, observed=None):
        self.model, self.pad, self.options = model, tokenizer.pad_token_id, options
        self.observed = samples if observed is None else observed
        self.ranks, self.own = (
            ranks,
            np.array(ranks.rows(len(self.observed))),
        )  # rows that this process observes
        self.network = paddle.DataParallel(model) if ranks.count > 1 else model  # averages gradients
        self.samples, self.tokens = samples, encode(tokenizer, samples, options.max_length)
        self.observed_tokens = (
            self.tokens if observed is None else encode(tokenizer, observed, options.max_length)
        )
        self.dev, self.dev_tokens = dev, dev and encode(tokenizer, dev, options.max_length)
        self.recorder = ObservationCollector(write)
        self.steps_per_epoch = -(-len(samples) // options.batch_size)
        self.schedule = LinearDecayWithWarmup(
            options.lr, self.steps_per_epoch * options.epochs, options.warmup
        )
        self.optimizer = _adamw(model, self.schedule, options.weight_decay)
        self.mixed = _gains_from_bfloat16()
        self.collected = None  # with collect=train: the epoch's logits, filled in step by step
        self.since = time.perf_counter()
        model.train()

    def batches(self, epoch):
        """The batches of an epoch: int arrays of rows."""
        return self.tokens.shuffled_batches(self.options.batch_size, [self.options.seed, epoch])

    def train(self, batch, step):
        """One step of the optimizer on the rows of `batch`."""
        seed_weights(self.options.seed, step)
        part = batch[self.ranks.rank :: self.ranks.count]
        # Where the last batch has fewer samples than there are processes, one without any still takes part.
        rows = part if len(part) else batch[:1]
        logits = self._logits(self.network, self.tokens, rows)
        labels = paddle.to_tensor(self.samples.labels[rows])
        losses = paddle.nn.functional.cross_entropy(logits, labels, reduction="sum")
        loss = losses * (len(part) > 0) * self.ranks.count / len(batch)
        if not np.isfinite(float(loss)):
            raise TrainingError(
                f"the loss became {float(loss)} at step {step}; "
                f"lower the learning rate (trainer.lr={self.options.lr:g})"
            )
        loss.backward()
        self.optimizer.step()
        self.schedule.step()
        self.optimizer.clear_grad()
        if self.options.collect == "train":
            if self.collected is None:
                self.collected = np.zeros((len(self.samples), logits.shape[1]), np.float32)
            self.collected[part] = logits.numpy()[: len(part)]

    def observe(self, number):
        """Record the signals of all samples as observation `number`, and measure on dev; returns metrics."""
        trained = time.perf_counter()
        metrics = self._record(number)
        if self.dev and self.ranks.first:
            metrics |= self._measure()
        now = time.perf_counter()
        metrics |= {"time/train_seconds": trained - self.since, "time/observe_seconds": now - trained}
        self.since = now
        return metrics

    def checkpoint(self, number, step):
        """Copy of the state after `step`, which observation `number` saw."""
        names = {parameter.name: name for name, parameter in self.model.named_parameters()}
        moments = {}
        for key, value in self.optimizer.state_dict().items():
            if key != "LR_Scheduler" and key != "master_weights":
                owner = max((name for name in names if key.startswith(f"{name}_")), key=len)
                moments[f"{names[owner]}:{key.removeprefix(f'{owner}_')}"] = value.numpy()
        weights = {name: value.numpy() for name, value in self.model.state_dict().items()}
        return Checkpoint(number, step, weights, moments)

    def restore(self, checkpoint):
        """Take over a `Checkpoint`; returns the step that it was made after."""
        own = {name: list(value.shape) for name, value in self.model.state_dict().items()}
        theirs = {name: list(value.shape) for name, value in checkpoint.weights.items()}
        if own != theirs:
            raise TrainingError("the checkpoint is of another model than the run's config describes")
        self.model.set_state_dict(checkpoint.weights)
        names = {name: parameter.name for name, parameter in self.model.named_parameters()}
        state = {}
        for key, value in checkpoint.moments.items():
            name, moment = key.rsplit(":", 1)
            state[f"{names[name]}_{moment}"] = paddle.to_tensor(value)
        for _ in range(checkpoint.step):
            self.schedule.step()
        self.optimizer.set_state_dict({**state, "LR_Scheduler": self.schedule.state_dict()})
        return checkpoint.step

    def evaluate(self, tokens, rows=None):
        """Logits of some samples (all by default) in evaluation mode, float32 array (samples, classes)."""
        rows = np.arange(len(tokens)) if rows is None else rows
        batches = tokens.sorted_batches(rows, self.options.eval_batch_size)
        self.model.eval()
        with paddle.no_grad(), first_token_only(self.model):
            parts = [self._logits(self.model, tokens, batch).numpy() for batch in batches]
        self.model.train()
        logits = np.empty((len(tokens), parts[0].shape[1]), np.float32)
        logits[np.concatenate(batches)] = np.concatenate(parts)
        return logits[rows]

    def _logits(self, network, tokens, batch):
        ids, segments = tokens.batch(batch, self.pad)
        with paddle.amp.auto_cast(enable=self.mixed, dtype="bfloat16"):
            logits = network(paddle.to_tensor(ids), paddle.to_tensor(segments))
        return logits.astype("float32")

    def _record(self, number):
        if self.options.collect == "train":
            logits = self.ranks.sum(self.collected)[self.own]
            self.collected = None
        else:
            logits = self.evaluate(self.observed_tokens, self.own)
        if not np.isfinite(logits).all():
            raise TrainingError(
                f"the model's outputs are not finite at observation {number}; "
                f"lower the learning rate (trainer.lr={self.options.lr:g})"
            )
        own = self.observed.take(self.own) if self.ranks.count > 1 else self.observed
        self.recorder.record(own.ids, own.labels, logits=logits, noisy_labels=own.s_labels)
        return self._means(self.recorder.commit(number))

    def _means(self, table):
        """Metrics of all processes' samples; by planted kind where there are any."""
        correct = table["correct"].to_numpy(zero_copy_only=False)
        kinds = table["noisy_label"].to_numpy()
        loss = table["loss"].to_numpy().sum(dtype=np.float64)
        sums = [loss, *(value for k in KINDS for value in ((kinds == k).sum(), correct[kinds == k].sum()))]
        loss, *counts = self.ranks.sum(np.array(sums, np.float64))
        samples, right = counts[0::2], counts[1::2]
        by_kind = zip(KINDS.values(), samples, right, strict=True) if sum(samples[1:]) else ()
        return {
            "train/loss": loss / sum(samples),
            "train/accuracy": sum(right) / sum(samples),
            **{f"train/accuracy_{name}": r / n for name, n, r in by_kind if n},
        }

    def _measure(self):
        logits = self.evaluate(self.dev_tokens)
        return {
            "validation/loss": float(-of_label(log_softmax(logits), self.dev.labels).mean()),
            "validation/accuracy": float((logits.argmax(axis=1) == self.dev.labels).mean()),
        }


def _gains_from_bfloat16():
    """Whether the device computes in bfloat16 by itself: GPUs since Ampere."""
    return paddle.device.get_device() != "cpu" and paddle.amp.is_bfloat16_supported()


def _adamw(model, schedule, weight_decay):
    decayed = {p.name for n, p in model.named_parameters() if "bias" not in n and "norm" not in n}
    return paddle.optimizer.AdamW(
        learning_rate=schedule,
        parameters=model.parameters(),
        weight_decay=weight_decay,
        apply_decay_param_fun=lambda name: name in decayed,
    )
