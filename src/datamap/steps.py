"""The three steps, each from its config to what it logged: wiring between the other modules."""

import tempfile
from dataclasses import asdict, replace
from pathlib import Path

from omegaconf import OmegaConf

from datamap import dynamics, groups, reduction, schema, shards, summary
from datamap.errors import TrackingError
from datamap.tracking import Store, listing


def say(text):
    print(text, flush=True)


def train(config):
    """Fine-tune and log the signals of every training sample, epoch by epoch; returns the run."""
    from datamap import modeling, training

    samples, dev = _data(config)
    store = Store(config.tracking.uri, config.tracking.experiment, create=True)
    if config.trainer.device:
        training.use_device(config.trainer.device)
    training.seed_weights(config.seed)
    texts = samples.texts_a + (samples.texts_b or [])
    model, tokenizer = modeling.build(config.model, texts, len(samples.class_names))
    run = store.start_run(config.tracking.run_name, config.tracking.tags)
    say(f"run {run.run_id}  ({run.place})")
    report = _Reporter(run, config)
    try:
        with run.running():
            _log_start(run, config, samples, dev)
            training.fit(
                model,
                tokenizer,
                samples,
                dev,
                _fit_options(config),
                report.write,
                report.progress,
                report.bar,
            )
    except BaseException:
        if report.kept:
            say(
                f"ended early; {report.kept} observations are safe: python src/summarize.py run_id={run.run_id}"
            )
        raise
    say(f"{report.kept} observations of {len(samples):,} samples logged")
    return run


def summarize(config):
    """Reduce a run's signals to one row a sample and log `summary.tsv`; returns the run."""
    store = Store(config.tracking.uri, config.tracking.experiment)
    run = store.run(config.run_id)
    store.adopt_helper(run, "summarize")
    _summarize(run, config)
    return run


def _summarize(run, config):
    whole, committed = _observed(run, config)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, schema.SUMMARY_FILE)
        totals = reduction.write(_parts(run, config, whole), file, committed)
        run.log_config("summarize", _yaml(config))
        run.log_file(file, schema.SUMMARY_FILE)
    metrics = {"summary/observations": len(whole)}
    dirty = totals.s_label == schema.DIRTY
    if 0 < dirty.sum() < len(dirty):
        metrics["summary/auroc_dirty"] = dynamics.auroc(1 - totals.avg_probs, dirty)
    run.log_metrics(metrics, max(whole))
    say(f"{schema.SUMMARY_FILE}: {len(dirty):,} samples over {len(whole)} observations")
    if "summary/auroc_dirty" in metrics:
        say(f"dirty samples against the rest: AUROC of 1 - avg_probs {metrics['summary/auroc_dirty']:.3f}")


def plot(config):
    """Draw a data map of a run and log it as file and as image series; returns (run, name)."""
    from datamap import maps

    plan = groups.plan(
        config.criterion, config.threshold, config.use_f_times, config.use_l_times, config.dirty_label
    )
    store = Store(config.tracking.uri, config.tracking.experiment)
    run = store.run(config.run_id)
    store.adopt_helper(run, "plot")
    samples, count = _summary_of(run, config)
    x, y = (groups.numeric_column(samples, name, key) for key, name in (("x", config.x), ("y", config.y)))
    shown = groups.select(samples, plan.filters)
    figure = maps.make_map(
        shown,
        groups.GROUPINGS[plan.grouping](shown),
        config.width,
        config.height,
        config.dpi,
        x=x,
        y=y,
        legend_title=groups.LEGEND_TITLES[plan.grouping],
        limits=maps.axis_limits(samples, x, y),  # of all samples: a filter does not move the axes
        title=_title(run, plan, len(shown), len(samples), count),
    )
    name = config.name or plan.name + "".join(f"-{k}_{v}" for k, v, usual in _axes(config) if v != usual)
    _log_map(run, maps, figure, name, config)
    return run, name


def _axes(config):
    return (("x", config.x, "label_var"), ("y", config.y, "avg_probs"))


def _title(run, plan, shown, total, count):
    what = (
        f"{total:,} samples"
        if not plan.filters
        else (f"{shown:,} of {total:,} samples, {' and '.join(map(str, plan.filters))}")
    )
    return f"{run.info.run_name}: {what}, {count} observation{'s' * (count != 1)}"


def _log_map(run, maps, figure, name, config):
    array = maps.pixels(figure)
    path = f"{schema.MAPS_DIR}/{name}"
    run.log_bytes(maps.png(array), f"{path}.png")
    if config.svg:
        run.log_text(maps.svg(figure), f"{path}.svg")
    # The key puts it into a section `maps`, the first on the run's page. Where steps differ, as those of
    # several runs do, the UI's slider starts at 0: there it shows the whole map too, not an empty card.
    for step in (0, max(run.committed())):
        run.log_image(array, path, step)
    run.log_config("plot", _yaml(config))
    say(f"{path}.png: {len(array[0])} × {len(array)} pixels, logged into run {run.run_id}  ({run.place})")


def _summary_of(run, config):
    """(summary, its number of observations), made first when the run has none."""
    if not run.has(schema.SUMMARY_FILE):
        say(f"run {run.run_id} has no {schema.SUMMARY_FILE} yet: summarizing it first")
        _summarize(run, replace(config.summarize, run_id=run.run_id, tracking=config.tracking))
    found = summary.read(run.artifacts.read(schema.SUMMARY_FILE))
    count, now = int(run.metric("summary/observations")), len(run.committed())
    if count < now:
        say(
            f"note: the summary covers {count} of {now} observations; "
            f"renew it: python src/summarize.py run_id={run.run_id}"
        )
    return found, count


def _observed(run, config):
    """({number: its shards}, {number: its rows}) of the observations that count."""
    committed = run.committed()
    if not committed:
        raise TrackingError(f"run {run.run_id} has no signals; train first: python src/train.py")
    files = run.signal_files()
    found = [shard for shard in map(schema.parse_shard, files) if shard]
    digests = {}
    for path in {shard.checksums_path for shard in found} & set(files):
        digests |= shards.parse_checksums(run.artifacts.read(path), path)
    whole, left_out = shards.complete_observations(found, committed, digests)
    if left_out:
        say(f"note: observation {listing(left_out)} was never committed (a killed run?) and is left out")
    return shards.between(whole, config.burn_in, config.until), committed


def _parts(run, config, whole):
    groups = shards.groups(whole, config.allow_missing)
    options = reduction.Options(config.allow_missing, config.extra, config.el2n_observations)
    if config.engine.name == "dask":
        return reduction.on_dask(run.artifacts, groups, options, config.engine.address)
    return reduction.in_process(run.artifacts, groups, options)


def _data(config):
    from datamap import dataset

    data = config.data
    options = {"columns": asdict(data.columns), "header": data.header, "skip_bad": data.on_bad_row == "skip"}
    if data.path is None:
        samples, dev = dataset.load_named(data.loader, **options)
    else:
        samples = dataset.load_samples(data.path, **options)
        dev = data.dev_path and dataset.load_samples(
            data.dev_path, **options, class_names=samples.class_names
        )
    if data.sample:
        samples = dataset.draw(samples, data.sample, config.seed)
    if data.flip_ratio:
        samples = dataset.flip_labels(samples, data.flip_ratio, config.seed)
    if samples.bad_rows:
        say(f"{len(samples.bad_rows)} bad rows of {samples.path} left out (artifact data/bad_rows.tsv)")
    return samples, dev


def _log_start(run, config, samples, dev):
    run.log_config("train", _yaml(config))
    run.log_params(_params(config))
    run.log_labels(samples.class_names)
    for part, context in ((samples, "training"), (dev, "evaluation")):
        if part:
            run.log_dataset(part.frame(), Path(part.path).stem, part.path, part.digest, context)
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
        **({"every": config.signals.every} if config.signals.every != "epoch" else {}),
    }


def _fit_options(config):
    from datamap.training import FitOptions

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
    )


class _Reporter:
    """What training calls back: observations into the run, progress onto the terminal."""

    def __init__(self, run, config):
        self.run, self.rows, self.kept = run, config.signals.shard_rows, 0
        self.format = config.signals.format
        self.unit = "epoch" if config.signals.every == "epoch" else "step"

    def write(self, number, table):
        for path, content in shards.files(table, self.unit, number, self.rows, self.format):
            self.run.log_bytes(content, path)
        self.run.commit(number, table.num_rows)
        self.kept += 1

    def progress(self, progress):
        self.run.log_metrics(progress.metrics, progress.number)
        m = progress.metrics
        dev = f"  dev accuracy {m['validation/accuracy']:.3f}" if "validation/accuracy" in m else ""
        seconds = m["time/train_seconds"] + m["time/observe_seconds"]
        say(
            f"{self.unit} {progress.number:3}  loss {m['train/loss']:.4f}  accuracy "
            f"{m['train/accuracy']:.3f}{dev}  {seconds:.1f} s"
        )

    def bar(self, batches):
        """A progress bar over an epoch's batches, where a terminal is there to show it."""
        from tqdm import tqdm

        return tqdm(batches, leave=False, disable=None, unit="step")


def _yaml(config):
    return OmegaConf.to_yaml(OmegaConf.structured(config))
