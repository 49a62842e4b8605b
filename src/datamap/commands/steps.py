"""The steps after training, each from its config to what it logged: wiring between the other modules."""

import re
import tempfile
import warnings
from dataclasses import replace
from pathlib import Path

from omegaconf import OmegaConf

from datamap import schema
from datamap.errors import MapError, TrackingError, counted
from datamap.log import say
from datamap.maps import groups
from datamap.signals import shards
from datamap.summaries import dynamics, reduction, tsv
from datamap.tracking import descriptions, outbox
from datamap.tracking.store import Store, listing

PLAN_OPTIONS = ("criterion", "threshold", "use_f_times", "use_l_times", "dirty_label", "color")
MAP_OPTIONS = (
    *PLAN_OPTIONS, "x", "y", "regions", "marginals", "contours", "facet", "lang", "width", "height", "dpi"
)  # fmt: skip
# What groupings, regions and marginals are made from.
MAP_COLUMNS = {
    "label", "s_label", "correct_ratio", "avg_probs", "label_var", "forgetting_times", "learnt_times"
}  # fmt: skip


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
        run.log_config("summarize", yaml(config))
        run.log_file(file, schema.SUMMARY_FILE)
    metrics = {"summary/observations": len(whole)}
    metrics |= {f"summary/{name}": value for name, value in totals.headlines.items()}
    dirty = totals.s_label == schema.DIRTY
    if 0 < dirty.sum() < len(dirty):
        metrics["summary/auroc_dirty"] = dynamics.auroc(1 - totals.avg_probs, dirty)
    # Not at the last observation used: MLflow calls the value of the largest step the latest.
    run.log_metrics(metrics, max(committed))
    run.describe(descriptions.of_run(len(dirty), run.metrics()))
    say(f"{schema.SUMMARY_FILE}: {counted(len(dirty), 'sample')} over {counted(len(whole), 'observation')}")
    if "summary/auroc_dirty" in metrics:
        say(f"dirty samples against the rest: AUROC of 1 - avg_probs {metrics['summary/auroc_dirty']:.3f}")


def plot(config):
    """Draw a data map of a run and log it as file and as image series; returns (run, name)."""
    from datamap.maps import figures

    options = {key: getattr(config, key) for key in MAP_OPTIONS}
    plan = groups.plan(*(options[key] for key in PLAN_OPTIONS))
    name = _name(config, plan)
    store = Store(config.tracking.uri, config.tracking.experiment)
    run = store.run(config.run_id)
    store.adopt_helper(run, "plot")
    asked = {getattr(config, key) for key in ("x", "y", "color", "facet", "criterion")} - {None}
    samples, count = summary_of(run, config, MAP_COLUMNS | asked)
    with warnings.catch_warnings(record=True) as caught:
        figure = figures.draw_map(
            samples, **options, class_names=run.class_names(), title=run.info.run_name, observations=count
        )
    for warning in caught:
        say(f"note: {warning.message}")
    _log_map(run, figures, figure, name, config)
    if config.explorer:
        _log_explorer(run, samples, config)
    return run, name


def _name(config, plan):
    """Name of the map's file and image series; MLflow takes ASCII only."""
    usual = {"x": "label_var", "y": "avg_probs", "facet": None, "marginals": False, "contours": False}
    unusual = {key: getattr(config, key) for key, value in usual.items() if getattr(config, key) != value}
    parts = [key if value is True else f"{key}_{value}" for key, value in unusual.items()]
    name = config.name or "-".join([plan.name, *parts])
    if ".." in name or not re.fullmatch(r"[\w. -][\w. /-]*", name, re.ASCII):
        raise MapError(f"name={name}: a map's name is made of letters a to z, digits, spaces and - _ . /")
    return name


def _log_map(run, figures, figure, name, config):
    array = figures.pixels(figure)
    path = f"{schema.MAPS_DIR}/{name}"
    run.log_bytes(figures.png(array), f"{path}.png")
    if config.svg:
        run.log_text(figures.svg(figure), f"{path}.svg")
    # The key puts it into a section `maps`, the first on the run's page. Where steps differ, as those of
    # several runs do, the UI's slider starts at 0: there it shows the whole map too, not an empty card.
    for step in (0, max(run.committed())):
        run.log_image(array, path, step)
    run.log_config("plot", yaml(config))
    say(f"{path}.png: {len(array[0])} × {len(array)} pixels, logged into run {run.run_id}  ({run.place})")


def _log_explorer(run, samples, config):
    from datamap.maps import explorer
    from datamap.signals import trajectories

    whole, _ = observed_as_summarized(run)
    with run.artifacts.local(schema.SUMMARY_FILE) as file:
        shown = tsv.read_rows(file, explorer.subsample(samples))
    histories = trajectories.read(run.artifacts, whole, shown["id"].tolist())
    content = run.artifacts.find(schema.SAMPLES_FILE)
    texts = tsv.texts_of(content, shown["id"].tolist()) if content else {}
    unit = next(iter(whole.values()))[0].unit
    page = explorer.page(
        shown, histories, texts, run.class_names(), run.info.run_name, len(samples), unit, config.lang
    )
    run.log_bytes(page, schema.EXPLORER_FILE)
    say(
        f"{schema.EXPLORER_FILE}: hover, filter, select and replay; open it in the UI's Artifacts, or in any browser"
    )


def summary_of(run, config, columns):
    """(these columns of the summary, its number of observations), made first when the run has none."""
    if not run.has(schema.SUMMARY_FILE):
        say(f"run {run.run_id} has no {schema.SUMMARY_FILE} yet: summarizing it first")
        _summarize(run, replace(config.summarize, run_id=run.run_id, tracking=config.tracking))
    with run.artifacts.local(schema.SUMMARY_FILE) as file:
        found = tsv.read(file, columns)
    count, now = int(run.metrics()["summary/observations"]), len(run.committed())
    if count < now:
        say(
            f"note: the summary covers {count} of {now} observations; "
            f"renew it: python src/summarize.py run_id={run.run_id}"
        )
    return found, count


def _observed(run, config):
    """({number: its shards}, {number: its rows}) of the observations that count, between burn_in and until."""
    committed = run.committed()
    if not committed:
        raise TrackingError(f"run {run.run_id} has no signals; train first: python src/train.py")
    return shards.between(signals_of(run, committed), config.burn_in, config.until), committed


def observed_as_summarized(run):
    """({number: its shards} of the observations that the run's summary is over, whether samples may lack in some)."""
    found = run.artifacts.find("config/summarize.yaml")
    own = OmegaConf.create(found.decode() if found else {"burn_in": 0, "until": None, "allow_missing": False})
    return _observed(run, own)[0], own.allow_missing


def signals_of(run, committed=None):
    """{number: its shards} of the observations that were committed."""
    found, digests = _shards_in(run, schema.SIGNALS_DIR)
    whole, left_out = shards.complete_observations(found, committed or run.committed(), digests)
    if left_out:
        say(f"note: observation {listing(left_out)} was never committed (a killed run?) and is left out")
    return whole


def pass_signals_of(run, folder):
    """{number: its shards} of a run's further trainings (`passes`) in a folder; {} where not all of them are done."""
    done = run.committed(schema.PASS_METRICS[folder])
    found, digests = _shards_in(run, folder) if done else ([], {})
    if len(done) < max((shard.count for shard in found), default=0):
        say(
            f"note: {folder}/ is not finished and is left out (a killed run? go on: "
            f"python src/train.py resume=true run_id={run.run_id})"
        )
        return {}
    return shards.complete_observations(found, {shard.number: 0 for shard in found}, digests)[0]


def _shards_in(run, folder):
    """([Shard, …], {artifact path: SHA-256}) that lie in a folder of the run."""
    files = run.files(folder)
    found = [shard for shard in map(schema.parse_shard, files) if shard]
    digests = {}
    for path in {shard.checksums_path for shard in found} & set(files):
        digests |= shards.parse_checksums(run.artifacts.read(path), path)
    return found, digests


def _parts(run, config, whole):
    groups = shards.groups(whole, config.allow_missing)
    options = reduction.Options(config.allow_missing, config.extra, config.el2n_observations)
    if config.engine.name == "dask":
        return reduction.on_dask(run.artifacts, groups, options, config.engine.address)
    return reduction.in_process(run.artifacts, groups, options)


def upload(config):
    """Send what training spooled to disk into its runs; returns them."""
    places = [place for place in sorted(Path(config.folder).glob("*")) if outbox.spooled(place)]
    if not places:
        raise TrackingError(f"folder={config.folder}: nothing is spooled there")
    runs = []
    for place in places:
        note = outbox.spool_note(outbox.spooled(place)[0])
        run = Store(note["tracking_uri"]).run(note["run_id"])
        run.claim = note["claim"]
        count = outbox.deliver_spooled(run, place)
        say(f"{count} parcels sent into run {run.run_id}  ({run.place})")
        runs.append(run)
    return runs


def yaml(config):
    """A step's config as the YAML that is logged."""
    return OmegaConf.to_yaml(OmegaConf.structured(config))
