"""Fine-tuning that observes every training sample as it goes. Knows nothing of MLflow."""

import time
from collections.abc import Callable, Iterable
from functools import partial

import numpy as np
import pyarrow as pa

from datamap.data.dataset import Samples
from datamap.errors import TrainingError
from datamap.paddle_backend.checkpoints import Checkpoint
from datamap.paddle_backend.classifier import Classifier, first_token_only
from datamap.paddle_backend.encoding import encode
from datamap.paddle_backend.framework import paddle, transformers
from datamap.paddle_backend.options import FitOptions, Observed
from datamap.paddle_backend.processes import Processes
from datamap.paddle_backend.tokens import Tokens
from datamap.schema import KINDS
from datamap.signals.compute import log_softmax, of_label, signal_table


def use_device(name: str) -> None:
    """Train on the device of that name ("cpu", "gpu:0", …).

    Raises:
        TrainingError: paddle has no such device here.
    """
    try:
        paddle.set_device(name)
    except (ValueError, RuntimeError, OSError) as error:
        raise TrainingError(
            f"trainer.device={name}: Paddle has no such device here; give cpu, or gpu:0 where it is built for GPUs"
        ) from error


def on_cpu() -> bool:
    """Whether Paddle computes on the CPU."""
    return paddle.device.get_device() == "cpu"


def seed_weights(seed: int, step: int = 0) -> None:
    """Seed paddle for the weights, or for a step: same seed, same signals, byte for byte on CPU.

    That a step's random numbers depend on nothing before it lets training go on from a checkpoint
    without a generator's state. Python's and NumPy's global generators stay as they are: training
    does not use them, and MLflow draws run names from one.
    """
    paddle.seed(int(np.random.SeedSequence([seed, step]).generate_state(1)[0]))


class Trainer:
    """A model in training, and what it is trained and measured on.

    Args:
        classifier: what is trained.
        samples: what it is trained on.
        options: how.
        processes: those that train together, each on its part of every batch and observing its part of
            the samples; None = this process alone.
        dev: samples to measure on, or None.
        observed: samples to observe instead of those that are trained on, in evaluation mode.
        tokens: (of `samples`, of `observed`) where they are known already.
        bar: wraps the iterable of the samples while they are tokenized, such as tqdm.
    """

    def __init__(
        self,
        classifier: Classifier,
        samples: Samples,
        options: FitOptions,
        processes: Processes | None = None,
        *,
        dev: Samples | None = None,
        observed: Samples | None = None,
        tokens: tuple[Tokens, Tokens] | None = None,
        bar: Callable[[Iterable], Iterable] = iter,
    ) -> None:
        self.classifier, self.model = classifier, classifier.model
        self.samples, self.options, self.processes = samples, options, processes or Processes()
        tokenized = partial(encode, classifier, max_length=options.max_length, bar=bar)
        self.observed = samples if observed is None else observed
        self.tokens = tokens[0] if tokens else tokenized(samples)
        self.observed_tokens = (
            tokens[1] if tokens else self.tokens if observed is None else tokenized(observed)
        )
        self.rows = np.array(self.processes.rows(len(self.observed)))  # that this process observes
        self.dev, self.dev_tokens = dev, tokenized(dev) if dev else None
        # Averages gradients over the processes.
        self.network = paddle.DataParallel(self.model) if self.processes.count > 1 else self.model
        self.steps_per_epoch = -(-len(samples) // options.batch_size)
        self.schedule = transformers.LinearDecayWithWarmup(
            options.lr, self.steps_per_epoch * options.epochs, options.warmup
        )
        self.optimizer = _adamw(self.model, self.schedule, options.weight_decay)
        self.mixed = _gains_from_bfloat16()
        self.collected: np.ndarray | None = None  # with collect=train: the epoch's logits, filled in by steps
        self.step = 0  # the last one done
        self.since = time.perf_counter()
        self.model.train()

    @property
    def parameters(self) -> int:
        """How many numbers the model learns."""
        return sum(int(np.prod(parameter.shape)) for parameter in self.model.parameters())

    def fit(
        self,
        on_observation: Callable[[Observed], None],
        bar: Callable[[Iterable], Iterable] = iter,
        observing: Callable[[Iterable], Iterable] = iter,
    ) -> None:
        """Train to the end, observing as often as `options.every_steps` says.

        Args:
            on_observation: called after each observation.
            bar: wraps the iterable of an epoch's batches, such as tqdm.
            observing: wraps the iterable of an observation's batches.
        Raises:
            TrainingError: the loss or the outputs are no longer finite.
        """
        self.since = time.perf_counter()
        for epoch in range(1 + self.step // self.steps_per_epoch, self.options.epochs + 1):
            done = self.step - (epoch - 1) * self.steps_per_epoch
            for batch in bar(self.batches(epoch)[done:]):
                self.train(batch)
                number = self.options.observation_at(self.step, self.steps_per_epoch)
                if number:
                    on_observation(self.observe(number, observing))

    def batches(self, epoch: int) -> list[np.ndarray]:
        """The batches of an epoch: int arrays of rows."""
        return self.tokens.shuffled_batches(self.options.batch_size, [self.options.seed, epoch])

    def train(self, batch: np.ndarray) -> None:
        """One step of the optimizer on the rows of `batch`.

        Raises:
            TrainingError: the loss is not finite.
        """
        self.step += 1
        seed_weights(self.options.seed, self.step)
        part = batch[self.processes.index :: self.processes.count]
        # Where the last batch has fewer samples than there are processes, one without any still takes part.
        rows = part if len(part) else batch[:1]
        logits = self._logits(self.network, self.tokens, rows)
        labels = paddle.to_tensor(self.samples.labels[rows])
        losses = paddle.nn.functional.cross_entropy(logits, labels, reduction="sum")
        loss = losses * (len(part) > 0) * self.processes.count / len(batch)
        if not np.isfinite(float(loss)):
            raise TrainingError(
                f"the loss became {float(loss)} at step {self.step}; "
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

    def observe(self, number: int, bar: Callable[[Iterable], Iterable] = iter) -> Observed:
        """Observation `number`: the signals of all samples, and the measures on them and on dev.

        Args:
            number: of the observation.
            bar: wraps the iterable of its batches.
        Raises:
            TrainingError: the model's outputs are not finite.
        """
        trained = time.perf_counter()
        signals = self._signals(number, bar)
        metrics = self._means(signals)
        if self.dev and self.dev_tokens and self.processes.first:
            metrics |= _measures(self.evaluate(self.dev_tokens, bar=bar), self.dev.labels)
        now = time.perf_counter()
        metrics |= {"time/train_seconds": trained - self.since, "time/observe_seconds": now - trained}
        self.since = now
        return Observed(number, signals, metrics, lambda: self.checkpoint(number))

    def checkpoint(self, number: int) -> Checkpoint:
        """Copy of the state as it is, which observation `number` saw."""
        names = {parameter.name: name for name, parameter in self.model.named_parameters()}
        moments = {}
        for key, value in self.optimizer.state_dict().items():
            if key != "LR_Scheduler" and key != "master_weights":
                owner = max((name for name in names if key.startswith(f"{name}_")), key=len)
                moments[f"{names[owner]}:{key.removeprefix(f'{owner}_')}"] = value.numpy()
        weights = {name: value.numpy() for name, value in self.model.state_dict().items()}
        return Checkpoint(number, self.step, weights, moments)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Take over the state of a checkpoint: `fit` goes on from there.

        Raises:
            TrainingError: it is of another model.
        """
        here = {name: list(value.shape) for name, value in self.model.state_dict().items()}
        there = {name: list(value.shape) for name, value in checkpoint.weights.items()}
        names = {name: parameter.name for name, parameter in self.model.named_parameters()}
        moments = {tuple(key.rpartition(":")[::2]): value for key, value in checkpoint.moments.items()}
        if here != there or not {name for name, _ in moments} <= set(names):
            raise TrainingError("the checkpoint is of another model than the run's config describes")
        self.model.set_state_dict(checkpoint.weights)
        state = {f"{names[name]}_{moment}": paddle.to_tensor(v) for (name, moment), v in moments.items()}
        self.step = min(checkpoint.step, self.steps_per_epoch * self.options.epochs)
        for _ in range(self.step):
            self.schedule.step()
        self.optimizer.set_state_dict({**state, "LR_Scheduler": self.schedule.state_dict()})

    def evaluate(
        self, tokens: Tokens, rows: np.ndarray | None = None, bar: Callable[[Iterable], Iterable] = iter
    ) -> np.ndarray:
        """Logits of some samples (all by default) in evaluation mode, float32 array (samples, classes)."""
        rows = np.arange(len(tokens)) if rows is None else rows
        batches = tokens.sorted_batches(rows, self.options.eval_batch_size)
        self.model.eval()
        with paddle.no_grad(), first_token_only(self.model):
            parts = [self._logits(self.model, tokens, batch).numpy() for batch in bar(batches)]
        self.model.train()
        logits = np.empty((len(tokens), parts[0].shape[1]), np.float32)
        logits[np.concatenate(batches)] = np.concatenate(parts)
        return logits[rows]

    def _logits(self, network, tokens, batch):
        ids, segments = tokens.batch(batch, self.classifier.tokenizer.pad_token_id)
        with paddle.amp.auto_cast(enable=self.mixed, dtype="bfloat16"):
            logits = network(paddle.to_tensor(ids), paddle.to_tensor(segments))
        return logits.astype("float32")

    def _signals(self, number: int, bar: Callable[[Iterable], Iterable]) -> pa.Table:
        """The signals of the samples that this process observes."""
        if self.collected is not None:
            logits = self.processes.sum(self.collected)[self.rows]
            self.collected = None
        else:
            logits = self.evaluate(self.observed_tokens, self.rows, bar)
        if not np.isfinite(logits).all():
            raise TrainingError(
                f"the model's outputs are not finite at observation {number}; "
                f"lower the learning rate (trainer.lr={self.options.lr:g})"
            )
        mine = self.observed.take(self.rows) if self.processes.count > 1 else self.observed
        return signal_table(
            mine.ids, mine.labels, logits, noisy_labels=mine.s_labels, where=f"observation {number}"
        )

    def _means(self, table):
        """Metrics of all processes' samples; by planted kind where there are any."""
        correct = table["correct"].to_numpy(zero_copy_only=False)
        kinds = table["noisy_label"].to_numpy()
        loss = table["loss"].to_numpy().sum(dtype=np.float64)
        sums = [loss, *(value for k in KINDS for value in ((kinds == k).sum(), correct[kinds == k].sum()))]
        loss, *counts = self.processes.sum(np.array(sums, np.float64))
        samples, right = counts[0::2], counts[1::2]
        by_kind = zip(KINDS.values(), samples, right, strict=True) if sum(samples[1:]) else ()
        return {
            "train/loss": loss / sum(samples),
            "train/accuracy": sum(right) / sum(samples),
            **{f"train/accuracy_{name}": r / n for name, n, r in by_kind if n},
        }


def _measures(logits, labels):
    """Metrics of the dev samples."""
    return {
        "validation/loss": float(-of_label(log_softmax(logits), labels).mean()),
        "validation/accuracy": float((logits.argmax(axis=1) == labels).mean()),
    }


def _gains_from_bfloat16():
    """Whether the device computes in bfloat16 by itself: GPUs since Ampere."""
    return not on_cpu() and paddle.amp.is_bfloat16_supported()


def _adamw(model, schedule, weight_decay):
    decayed = {p.name for n, p in model.named_parameters() if "bias" not in n and "norm" not in n}
    return paddle.optimizer.AdamW(
        learning_rate=schedule,
        parameters=model.parameters(),
        weight_decay=weight_decay,
        apply_decay_param_fun=lambda name: name in decayed,
    )
