"""Fine-tune a model and observe every training sample meanwhile; logging is left to the caller."""

import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial

import numpy as np
import pyarrow as pa
from threadpoolctl import threadpool_limits

from datamap.data.dataset import AnyDataset
from datamap.errors import TrainingError
from datamap.paddle_backend import objectives
from datamap.paddle_backend.checkpoints import Checkpoint
from datamap.paddle_backend.classifier import Classifier, first_token_only
from datamap.paddle_backend.encoder import mean_outputs
from datamap.paddle_backend.encoding import encode, encode_texts
from datamap.paddle_backend.framework import paddle, set_device, transformers
from datamap.paddle_backend.options import FitOptions, ObservationResult
from datamap.paddle_backend.tokens import Tokens
from datamap.processes import Processes
from datamap.schema import KINDS


def use_device(name: str | None, threads: int) -> None:
    """Let Paddle compute on a device and on that many CPU threads, from now on and in this process.

    Paddle asks OpenMP for the number of threads (its own flag, FLAGS_paddle_num_threads, changes nothing on CPU).
    OpenMP reads the environment when Paddle is imported; afterwards only this call changes it.

    Args:
        name: "cpu", "gpu:0", …; None = Paddle's choice.
        threads: the number of CPU threads.

    Raises:
        TrainingError: Paddle has no such device on this machine.
    """
    threadpool_limits(threads, user_api="openmp")
    if name:
        set_device(name)


def on_cpu() -> bool:
    """Tell whether Paddle computes on the CPU."""
    return paddle.device.get_device() == "cpu"


def seed_weights(seed: int, step: int = 0) -> None:
    """Seed Paddle for the weights, or for a step, so that the same seed gives the same signals on a CPU.

    A step's random numbers depend on no step before, so training continues from a checkpoint without a generator's
    state. Python's and NumPy's global generators are left alone: training does not use them, and MLflow draws the names
    of runs from one.
    """
    paddle.seed(int(np.random.SeedSequence([seed, step]).generate_state(1)[0]))


class Trainer:
    """Train a model and observe samples meanwhile.

    Args:
        classifier: the model to train, with its tokenizer.
        samples: the training samples.
        options: length and hyperparameters of the training.
        processes: the processes that train together, each with its part of every batch and of the observed samples;
            None = this process alone.
        dev: development samples to evaluate on, or None.
        observed: samples to observe, in evaluation mode, instead of the training samples.
        tokens: the tokens of `samples` and of `observed`, if they are already encoded.
        bar: wraps the iterable of the samples while they are encoded, such as tqdm.
    """

    def __init__(
        self,
        classifier: Classifier,
        samples: AnyDataset,
        options: FitOptions,
        processes: Processes | None = None,
        *,
        dev: AnyDataset | None = None,
        observed: AnyDataset | None = None,
        tokens: tuple[Tokens, Tokens] | None = None,
        bar: Callable[[Iterable], Iterable] = iter,
    ) -> None:
        self.classifier, self.model = classifier, classifier.model
        self.samples, self.options, self.processes = samples, options, processes or Processes()
        self.objective = objectives.objective_of(samples)
        tokenized = partial(encode, classifier, max_length=options.max_length, bar=bar)
        self.observed = samples if observed is None else observed
        self.tokens = tokens[0] if tokens else tokenized(samples)
        self.observed_tokens = (
            tokens[1] if tokens else self.tokens if observed is None else tokenized(observed)
        )
        self.labels = objectives.labels_of(samples, self.tokens)  # of each decision
        self.rows = np.array(self.processes.rows(len(self.observed)))  # that this process observes
        self.dev, self.dev_tokens = dev, tokenized(dev) if dev else None
        # DataParallel averages gradients over the processes.
        self.network = paddle.DataParallel(self.model) if self.processes.count > 1 else self.model
        self.steps_per_epoch = -(-len(samples) // options.batch_size)
        self.schedule = transformers.LinearDecayWithWarmup(
            options.lr, self.steps_per_epoch * options.epochs, options.warmup
        )
        self.optimizer = _adamw(self.model, self.schedule, options.weight_decay)
        # GPUs since Ampere have instructions for bfloat16.
        self.mixed = not on_cpu() and paddle.amp.is_bfloat16_supported()
        # With collect=train: the epoch's logits, filled in by the steps.
        self.collected: np.ndarray | None = None
        self.step = 0  # the last finished step
        self.since = time.perf_counter()
        self.model.train()

    @property
    def parameters(self) -> int:
        """Return the number of the model's parameters."""
        return sum(int(np.prod(parameter.shape)) for parameter in self.model.parameters())

    @property
    def width(self) -> int:
        """Return the number of the encoder's outputs per token."""
        return int(self.model.config.hidden_size)

    def fit(
        self,
        on_observation: Callable[[ObservationResult], None],
        bar: Callable[[Iterable], Iterable] = iter,
        observing: Callable[[Iterable], Iterable] = iter,
    ) -> None:
        """Train to the end, and observe after each epoch or every `options.every_steps` steps.

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
        """Return the batches of an epoch as int arrays of rows."""
        return self.tokens.shuffled_batches(self.options.batch_size, [self.options.seed, epoch])

    def train(self, batch: np.ndarray) -> None:
        """Do one step of the optimizer on the rows of `batch`.

        Raises:
            TrainingError: the loss is not finite.
        """
        self.step += 1
        seed_weights(self.options.seed, self.step)
        part = batch[self.processes.index :: self.processes.count]
        # If the last batch has fewer samples than there are processes, one without samples still takes part.
        rows = part if len(part) else batch[:1]
        logits = self._logits(self.network, self.tokens, rows)
        labels = paddle.to_tensor(self.labels[self.tokens.decisions(rows)])
        losses = self.objective.loss(logits, labels)
        count = self.labels[self.tokens.decisions(batch)].size
        loss = losses * (len(part) > 0) * self.processes.count / count
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
                self.collected = np.zeros((len(self.labels), logits.shape[1]), np.float32)
            done = self.tokens.decisions(part)
            self.collected[done] = logits.numpy()[: len(done)]

    def observe(self, number: int, bar: Callable[[Iterable], Iterable] = iter) -> ObservationResult:
        """Observe the samples: compute their signals, and metrics of them and of the development samples.

        Args:
            number: number of the observation.
            bar: wraps the iterable of its batches.

        Raises:
            TrainingError: the model's outputs are not finite.
        """
        trained = time.perf_counter()
        signals = self._signals(number, bar)
        metrics = self._means(signals)
        if self.dev and self.dev_tokens and self.processes.first:
            logits = self.evaluate(self.dev_tokens, bar=bar)
            labels = objectives.labels_of(self.dev, self.dev_tokens)
            metrics |= self.objective.measures(self.dev, self.dev_tokens, logits, labels)
        now = time.perf_counter()
        metrics |= {"time/train_seconds": trained - self.since, "time/observe_seconds": now - trained}
        self.since = now
        return ObservationResult(number, signals, metrics, lambda: self.checkpoint(number))

    def checkpoint(self, number: int) -> Checkpoint:
        """Copy the current state, which observation `number` saw."""
        names = {parameter.name: name for name, parameter in self.model.named_parameters()}
        moments = {}
        for key, value in self.optimizer.state_dict().items():
            if key != "LR_Scheduler" and key != "master_weights":
                owner = max((name for name in names if key.startswith(f"{name}_")), key=len)
                moments[f"{names[owner]}:{key.removeprefix(f'{owner}_')}"] = value.numpy()
        weights = {name: value.numpy() for name, value in self.model.state_dict().items()}
        return Checkpoint(number, self.step, weights, moments)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Restore the state of a checkpoint, from which `fit` continues.

        Raises:
            TrainingError: the checkpoint belongs to another model.
        """
        here = {name: list(value.shape) for name, value in self.model.state_dict().items()}
        there = {name: list(value.shape) for name, value in checkpoint.weights.items()}
        names = {name: parameter.name for name, parameter in self.model.named_parameters()}
        moments = {tuple(key.rpartition(":")[::2]): value for key, value in checkpoint.moments.items()}
        if here != there or not {name for name, _ in moments} <= set(names):
            raise TrainingError("the checkpoint does not match the model of the run's config; train again")
        self.model.set_state_dict(checkpoint.weights)
        state = {f"{names[name]}_{moment}": paddle.to_tensor(v) for (name, moment), v in moments.items()}
        self.step = min(checkpoint.step, self.steps_per_epoch * self.options.epochs)
        for _ in range(self.step):
            self.schedule.step()
        self.optimizer.set_state_dict({**state, "LR_Scheduler": self.schedule.state_dict()})

    def evaluate(
        self, tokens: Tokens, rows: np.ndarray | None = None, bar: Callable[[Iterable], Iterable] = iter
    ) -> np.ndarray:
        """Compute logits of the decisions on some rows (None: all) in evaluation mode, float32 (decisions, classes)."""
        rows = np.arange(len(tokens)) if rows is None else rows
        batches = tokens.sorted_batches(rows, self.options.eval_batch_size)
        self.model.eval()
        with paddle.no_grad(), first_token_only(self.model):
            parts = [self._logits(self.model, tokens, batch).numpy() for batch in bar(batches)]
        self.model.train()
        wanted, computed = tokens.decisions(rows), tokens.decisions(np.concatenate(batches))
        logits = np.empty((1 + int(wanted.max()), parts[0].shape[1]), np.float32)
        logits[computed] = np.concatenate(parts)
        return logits[wanted]

    def mean_outputs(self, texts: Sequence[str], bar: Callable[[Iterable], Iterable] = iter) -> np.ndarray:
        """Compute the encoder's mean output for each text, float32 (texts, `width`), in evaluation mode."""
        tokens = encode_texts(self.classifier, texts, None, self.options.max_length)
        return mean_outputs(self.classifier, tokens, self.options.eval_batch_size, bar)

    def _logits(self, network, tokens, batch):
        ids, segments = tokens.batch(batch, self.classifier.tokenizer.pad_token_id)
        with paddle.amp.auto_cast(enable=self.mixed, dtype="bfloat16"):
            logits = network(paddle.to_tensor(ids), paddle.to_tensor(segments))
        if tokens.words:
            places = paddle.to_tensor(tokens.first_pieces(batch))
            logits = paddle.gather(logits.reshape([-1, logits.shape[-1]]), places)
        return logits.astype("float32")

    def _signals(self, number: int, bar: Callable[[Iterable], Iterable]) -> pa.Table:
        """Compute the signals of the samples that this process observes."""
        if self.collected is not None:
            logits = self.processes.sum(self.collected)[self.tokens.decisions(self.rows)]
            self.collected = None
        else:
            logits = self.evaluate(self.observed_tokens, self.rows, bar)
        if not np.isfinite(logits).all():
            raise TrainingError(
                f"the model's outputs are not finite at observation {number}; "
                f"lower the learning rate (trainer.lr={self.options.lr:g})"
            )
        mine, tokens = self.observed, self.observed_tokens
        if self.processes.count > 1:
            mine, tokens = mine.take(self.rows), tokens.take(self.rows)
        return objectives.table_of(mine, tokens, logits, f"observation {number}")

    def _means(self, table):
        """Compute metrics over the samples of all processes, and by planted kind if there are planted samples."""
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


def _adamw(model, schedule, weight_decay):
    decayed = {p.name for n, p in model.named_parameters() if "bias" not in n and "norm" not in n}
    return paddle.optimizer.AdamW(
        learning_rate=schedule,
        parameters=model.parameters(),
        weight_decay=weight_decay,
        apply_decay_param_fun=lambda name: name in decayed,
    )
