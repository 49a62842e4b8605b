"""The further trainings of a run, from its config to what they say in the run: wiring."""

import time

from datamap import schema
from datamap.log import say
from datamap.signals import shards
from datamap.tracking.outbox import Delivery
from datamap.training import extra


def wanted(config, samples):
    """The `passes.Pass`es that the config asks for."""
    folds = config.data.folds
    found = extra.folds(samples, folds, config.seed, schema.HOLDOUT_DIR) if folds else []
    if config.signals.threshold_samples:
        found.append(extra.threshold(samples, config.seed, schema.THRESHOLD_DIR))
    return found


def train_passes(todo, done, config, options, ranks, bar, send=None):
    """Train each pass from the beginning, and send what it says of the samples it observes.

    Args:
        todo: what `wanted` gives.
        done: {folder: indices of the passes that the run has already}; they are left out.
        options: `training.FitOptions` of the run's own training.
        ranks: `Ranks` that train together.
        bar: wraps the iterable of an epoch's batches.
        send: takes a `Delivery` a pass; None in processes that do not own the run.
    """
    options = options._replace(collect="eval", every_steps=None)
    for one in todo:
        if one.index not in done[one.folder]:
            start = time.perf_counter()
            tables = _train(one, config, options, ranks, bar)
            if send:
                send(_delivery(one, tables, config.signals.format))
                right = tables[-1][1]["correct"].to_numpy(zero_copy_only=False).mean()
                say(f"{_name(one)}  {right:.3f}  {time.perf_counter() - start:.1f} s")


def _train(one, config, options, ranks, bar):
    """[(observation's number, arrow table of all observed samples)] of a pass."""
    from datamap.training import modeling, trainer

    trainer.seed_weights(config.seed)
    texts = one.train.texts_a + (one.train.texts_b or [])
    model, tokenizer = modeling.build(config.model, texts, len(one.train.class_names))
    own = {}
    trainer.fit(
        model, tokenizer, one.train, None, options, own.__setitem__, lambda progress: None, bar,
        ranks=ranks, observed=one.observed,
    )  # fmt: skip
    return [(number, shards.concat(ranks.gather(table))) for number, table in own.items()]


def _delivery(one, tables, format):
    def files():
        for number, table in tables:
            shard = schema.Shard("epoch", number, one.index, one.count, format, folder=one.folder)
            shard, content = shards.sealed(table, shard)
            yield shard.path, content
            yield shard.checksums_path, shards.checksums([shard])

    return Delivery(one.index, files, {schema.PASS_METRICS[one.folder]: len(one.observed)})


def _name(one):
    if one.folder == schema.THRESHOLD_DIR:
        return f"{len(one.observed):,} threshold samples  accuracy on them"
    return f"fold {one.index + 1} of {one.count}  accuracy on samples it has not seen"
