"""Fine-tune a text classifier and log the signals of every training sample, epoch by epoch.

datamap train                                         the demo data, a small ERNIE
datamap train data=file data.path=my.tsv              your own labelled texts
datamap train model=ernie-3.0-base-zh data=lcqmc      the original's set-up
datamap train data.flip_ratio=0.1 seed=1              plant 10 % dirty labels
datamap train -m seed=1,2,3                           three runs under one parent, and their comparison
datamap train resume=true run_id=latest               go on with a run that was killed
"""

import contextlib
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from omegaconf import OmegaConf

from datamap import schema
from datamap.commands import extra_trainings
from datamap.commands.config import TrainConfig, yaml
from datamap.commands.inputs import signals_of
from datamap.data import dataset
from datamap.errors import ConfigError, TrackingError, TrainingError, counted
from datamap.log import say
from datamap.program import invocation
from datamap.signals import shards
from datamap.summaries import tsv
from datamap.tracking.failures import retrying
from datamap.tracking.outbox import Delivery, Outbox, deliver_spooled, spool_note, spooled
from datamap.tracking.run import Run
from datamap.tracking.store import Store, opened, resolved
from datamap.training import checkpoints
from datamap.training.processes import Ranks

CHECKPOINTS = "checkpoint"
START_PATIENCE = 30  # seconds


def run(config: TrainConfig, overrides: list[str]) -> None:
    """Train, and say what to do next."""
    found = train(config, overrides)
    say(f"next: {invocation('diagnose' if config.data.folds else 'summarize', f'run_id={found.run_id}')}")


def train(config: TrainConfig, overrides: Sequence[str] = ()) -> Run:
    """Fine-tune and log the signals of every training sample, epoch by epoch; returns the run."""
    if config.signals.collect == "train" and config.signals.every != "epoch":
        raise ConfigError("signals.collect=train observes once an epoch: leave signals.every=epoch")
    ranks = Ranks(config.trainer.device)
    if config.resume:
        return _resume(config, ranks)
    config = replace(config, data=_resolved(config))
    samples, dev = _data(config)
    # The others come to the store when the first has made it.
    store = Store(config.tracking.uri, config.tracking.experiment, create=True) if ranks.first else None
    new_run = partial(store.new_run, config.tracking.run_name, config.tracking.tags) if store else None
    return _fit(config, ranks, samples, dev, new_run, overrides=overrides)


def _resume(config, ranks):
    """Go on with a run from its last committed observation, with the run's own config."""
    if not config.run_id:
        raise ConfigError("resume=true needs run_id=<id>")
    store = Store(config.tracking.uri, config.tracking.experiment)
    run = store.run(config.run_id)
    if ranks.first:
        _send_spooled(run, Path(config.tracking.spool, run.run_id))
    ranks.gather(None)  # the others read what is committed when all is
    run = store.run(run.run_id)
    if run.status == "FINISHED":
        raise TrackingError(f"run {run.run_id} ended well: nothing is left to resume")
    own = run.artifacts.find("config/train.yaml")
    if own is None:
        raise TrackingError(f"run {run.run_id} ended before it had logged anything: start a new one")
    # Keys that the run's version did not know yet are today's defaults.
    own = OmegaConf.merge(OmegaConf.structured(config), OmegaConf.create(own.decode()))
    own = OmegaConf.to_object(own)
    own = replace(own, resume=True, run_id=run.run_id, tracking=config.tracking)
    samples, dev = _data(own)
    if samples.digest != run.dataset_digest():
        raise TrackingError(
            f"run {run.run_id}: {samples.path} is no longer what the run was trained on (digest {samples.digest})"
        )
    committed, start, slot = run.committed(), None, -1
    if committed:
        start, slot = checkpoints.load(run.artifacts.find, max(committed))
        say(f"resuming after observation {start.number}")
    return _fit(own, ranks, samples, dev, run.until_end, start, committed, slot + 1)


def _send_spooled(run, folder):
    waiting = spooled(folder)
    if waiting:
        run.writer = spool_note(waiting[0])["writer"]  # that of the process that spooled them
        say(f"{counted(deliver_spooled(run, folder), 'upload')} of {folder} sent")


def _data(config):
    data = config.data
    options = {"columns": asdict(data.columns), "header": data.header, "skip_bad": data.on_bad_row == "skip"}
    if data.path is None:
        samples, dev = dataset.load_named(data.loader, **options)
    else:
        samples = _load(data.path, config.tracking, **options)
        dev = data.dev_path and _load(
            data.dev_path, config.tracking, **options, class_names=samples.class_names
        )
    if data.sample and data.sample > len(samples):
        say(f"note: data.sample={data.sample}, but {samples.path} has {len(samples)} rows: all are used")
    elif data.sample:
        samples = dataset.draw(samples, data.sample, config.seed)
    if data.flip_ratio:
        samples = dataset.flip_labels(samples, data.flip_ratio, config.seed)
    if samples.bad_rows:
        say(
            f"{counted(len(samples.bad_rows), 'bad row')} of {samples.path} left out (artifact data/bad_rows.tsv)"
        )
    return samples, dev


def _resolved(config):
    """The data's config, where `latest` in a path is the run that is the latest now."""
    data, where = config.data, (config.tracking.uri, config.tracking.experiment)
    return replace(data, path=resolved(data.path, *where), dev_path=resolved(data.dev_path, *where))


def _load(path, tracking, **options):
    with opened(path, tracking.uri) as file:
        return dataset.load_samples(file, **options, name=path)


def _log_start(run, config, overrides, samples, dev):
    run.log_config("train", yaml(config), overrides)
    run.log_params(_params(config))
    run.log_labels(samples.class_names)
    for part, context in ((samples, "training"), (dev, "evaluation")):
        if part:
            run.log_dataset(part.frame(), Path(part.path).stem, part.path, part.digest, context)
    if config.log_text:
        run.log_bytes(b"".join(tsv.lines(samples.frame())), schema.SAMPLES_FILE)
    bad = samples.bad_rows + (dev.bad_rows if dev else [])
    if bad:
        lines = "".join(f"{row.path}\t{row.line}\t{row.problem}\n" for row in bad)
        run.log_text("file\tline\tproblem\n" + lines, "data/bad_rows.tsv")


def _params(config):
    """The few that tell runs apart: the UI prints all params above a run's map, where many would hide it.

    The whole config is the artifact config/train.yaml.
    """
    data, trainer = config.data, config.trainer
    return {
        "data": data.name,
        "model": config.model.name,
        "seed": config.seed,
        "epochs": trainer.epochs,
        "batch_size": trainer.batch_size,
        "lr": trainer.lr,
        **({"sample": data.sample} if data.sample else {}),
        **({"flip_ratio": data.flip_ratio} if data.flip_ratio else {}),
        **({"folds": data.folds} if data.folds else {}),
        **({"every": config.signals.every} if config.signals.every != "epoch" else {}),
        **({"collect": config.signals.collect} if config.signals.collect != "eval" else {}),
    }


def _fit_options(config):
    from datamap.training.trainer import FitOptions

    trainer, signals = config.trainer, config.signals
    return FitOptions(
        seed=config.seed,
        epochs=trainer.epochs,
        batch_size=trainer.batch_size,
        eval_batch_size=signals.batch_size,
        max_length=trainer.max_length,
        lr=trainer.lr,
        warmup=trainer.warmup,
        weight_decay=trainer.weight_decay,
        every_steps=None if signals.every == "epoch" else signals.every,
        collect=signals.collect,
    )


def _fit(config, ranks, samples, dev, get_run, start=None, committed=(), slot=0, overrides=()):
    """Train on this process's part; the first makes or takes up the run, the others join it.

    `get_run()` is a context: the run, which ends with it.
    """
    from datamap.training import modeling, trainer

    if config.trainer.device:
        trainer.use_device(config.trainer.device)
    trainer.seed_weights(config.seed)
    texts = samples.texts_a + (samples.texts_b or [])
    model, tokenizer = modeling.build(config.model, texts, len(samples.class_names))
    options = _fit_options(config)
    fit = partial(trainer.fit, model, tokenizer, samples, dev, options, start=start, ranks=ranks)
    with get_run() if ranks.first else contextlib.nullcontext() as taken:
        run = _joined(taken, config, ranks)
        return _fit_into(run, config, ranks, samples, dev, fit, options, start, committed, slot, overrides)


def _joined(taken, config, ranks):
    """The run that all processes write into: the one that the first has `taken`, looked up by the others."""
    patience = config.tracking.retry_seconds
    if taken:
        # What is logged before training has no outbox; another process may have SQLite locked just now.
        retrying(taken.begin, min(patience, START_PATIENCE))
    run_id, writer = ranks.gather(taken and (taken.run_id, taken.writer))[0]
    run = taken or retrying(lambda: Store(config.tracking.uri).run(run_id), patience)
    run.writer = writer
    return run


def _fit_into(run, config, ranks, samples, dev, fit, options, start, committed, slot, overrides):
    patience, run_id = config.tracking.retry_seconds, run.run_id
    todo = extra_trainings.wanted(config, samples)
    done = ranks.gather(todo and ranks.first and _passes_done(run))[0]
    train_passes = partial(extra_trainings.train_passes, todo, done, config, options, ranks)
    if not ranks.first:
        report = _Joined(run, config, ranks, len(samples))
        fit(report.write, report.progress)
        train_passes(iter)
        return run
    say(f"run {run_id}  ({run.address})")
    outbox = Outbox(run, config.tracking.retry_seconds, config.tracking.spool, say, CHECKPOINTS)
    report = _Reporter(outbox, config, ranks, len(samples), committed, slot)
    if config.plot.live:
        report.live = _live_map(run, ranks, len(samples), committed, start)
    try:
        with outbox:
            if not config.resume:
                log_start = partial(_log_start, run, config, overrides, samples, dev)
                retrying(log_start, min(patience, START_PATIENCE))
            fit(report.write, report.progress, report.bar)
            train_passes(report.bar, outbox.put)
    except BaseException as error:
        if report.kept:
            next_step = invocation("summarize", f"run_id={run_id}")
            say(f"ended early; {counted(report.kept, 'observation')} safe: {next_step}")
        # A loss that is not finite would come again, and nothing goes on without a checkpoint.
        if report.kept and not isinstance(error, TrainingError) and config.trainer.checkpoint != "none":
            say(f"to go on with the run: {invocation('train', 'resume=true', f'run_id={run_id}')}")
        raise
    say(f"{counted(report.kept, 'observation')} of {len(samples):,} samples logged")
    return run


def _passes_done(run):
    """{folder: indices of its passes that the run has already}."""
    return {folder: set(run.committed(metric)) for folder, metric in schema.PASS_METRICS.items()}


def _live_map(run, ranks, samples, committed, start):
    """What draws the map so far; None where this process does not have the signals of all samples."""
    if ranks.count > 1:
        return None
    from datamap.maps.live import LiveMap

    live = LiveMap(samples, run.info.run_name, say)
    for number, parts in sorted(signals_of(run).items()) if committed else ():
        if number <= start.number:
            live.add(shards.read(run.artifacts, parts))
    return live


class _Shards:
    """Names and encodes this process's shards of an observation."""

    def __init__(self, config, ranks, samples):
        rows = config.signals.shard_rows
        counts = [-(-len(ranks.rows(samples, rank)) // rows) for rank in range(ranks.count)]
        self.place = {"first": sum(counts[: ranks.rank]), "count": sum(counts)}
        self.rows, self.format = rows, config.signals.format
        self.unit = "epoch" if config.signals.every == "epoch" else "step"

    def encoded(self, number, table):
        return shards.encoded(table, self.unit, number, self.rows, self.format, **self.place)


class _Joined:
    """What training calls back in all processes but the first: their shards go into the run at once."""

    def __init__(self, run, config, ranks, samples):
        self.run, self.ranks = run, ranks
        self.patience = config.tracking.retry_seconds
        self.shards = _Shards(config, ranks, samples)

    def write(self, number, table):
        encoded = list(self.shards.encoded(number, table))
        for shard, content in encoded:
            retrying(partial(self._log, content, shard.path), self.patience)
        self.ranks.gather([shard for shard, _ in encoded])

    def _log(self, content, path):
        self.run.check_writer()  # another process may have taken the run over
        self.run.log_bytes(content, path)

    def progress(self, progress):
        pass


class _Reporter:
    """What training calls back in the first process: observations into the run, progress onto the terminal."""

    def __init__(self, outbox, config, ranks, samples, committed, slot):
        self.outbox, self.ranks, self.committed, self.slot = outbox, ranks, committed, slot
        self.shards = _Shards(config, ranks, samples)
        self.samples, self.policy, self.kept = samples, config.trainer.checkpoint, len(committed)
        self.files, self.table, self.live = tuple, None, None

    def write(self, number, table):
        self.table = table
        others = sum(self.ranks.gather([])[1:], [])  # when this returns, the others' shards are in the run

        def files():
            own = []
            for shard, content in self.shards.encoded(number, table):
                own.append(shard)
                yield shard.path, content
            yield own[0].checksums_path, shards.checksums(own + others)

        self.files = files

    def progress(self, progress):
        signals, slot = self.files, self.slot
        checkpoint = progress.checkpoint() if self.policy == "last" else None

        def files():
            yield from signals()
            if checkpoint:
                yield from checkpoints.files(checkpoint, slot)

        if progress.number not in self.committed:
            commit = {schema.COMMIT_METRIC: self.samples}
            metrics, then = {**progress.metrics, **commit}, self._draw_live(progress.number)
            self.outbox.put(Delivery(progress.number, files, metrics, then=then))
            self.kept += 1
            self.slot += 1
        self._say(progress)

    def _draw_live(self, number):
        """What draws the map so far into the run's image series, in the sending thread; None without live maps."""
        live, table = self.live, self.table
        if live is None:
            return None

        def draw(run):
            start = time.thread_time()
            live.add(table)
            picture = live.picture()
            if picture is not None:
                run.log_image(picture, f"{schema.MAPS_DIR}/data_map", number)
                live.drawn(time.thread_time() - start)

        return draw

    def _say(self, progress):
        m = progress.metrics
        dev = f"  dev accuracy {m['validation/accuracy']:.3f}" if "validation/accuracy" in m else ""
        seconds = m["time/train_seconds"] + m["time/observe_seconds"]
        say(
            f"{self.shards.unit} {progress.number:3}  loss {m['train/loss']:.4f}  accuracy "
            f"{m['train/accuracy']:.3f}{dev}  {seconds:.1f} s"
        )

    def bar(self, batches):
        """A progress bar over an epoch's batches, where a terminal is there to show it."""
        from tqdm import tqdm

        return tqdm(batches, leave=False, disable=None, unit="step")
