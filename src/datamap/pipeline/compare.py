"""Compare the data maps of several runs: side by side, where samples moved, and how far the runs agree."""

import contextlib
import re
from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from datamap import schema
from datamap.config import CompareConfig, to_yaml
from datamap.data import spreadsheet
from datamap.errors import ConfigError, counted, first_few
from datamap.log import reporting, say
from datamap.maps.options import MapOptions
from datamap.pipeline import corrected_data
from datamap.pipeline.run_access import definition_of, logged_together, reading_store
from datamap.pipeline.stored_summary import MAP_COLUMNS
from datamap.pipeline.stored_texts import Texts
from datamap.pipeline.summarize import ensure_summary
from datamap.summaries import comparison, tsv
from datamap.tracking import descriptions
from datamap.tracking.run import Run
from datamap.translations import AUTO, Amount, Phrase, speak, spoken

MAX_RUNS = 100
MAX_NAME = 40  # characters of a run's name in the name of an image series
MAX_WIDTH = 30  # characters of the comparison's own name


class Comparison(NamedTuple):
    """Hold the run of a comparison, and the agreement of each pair of runs (`summaries.comparison.agreement`)."""

    run: Run
    agreement: pd.DataFrame


def compare(config: CompareConfig, into: Run | None = None) -> Comparison:
    """Log the maps side by side, the samples that moved, the agreement of the runs, and the always hard samples.

    Args:
        config: keys of conf/compare.yaml.
        into: run to log into, which its owner ends; None = a new run, which ends here.

    Returns:
        The run that was logged into, and the agreement of each pair of runs.

    Raises:
        ConfigError: fewer than two runs, or too many.
        SummaryError: the runs have no sample in common.
    """
    from datamap.maps import comparisons

    with reading_store(config) as store:
        members = _members(store, config)
    for run in members:
        run.read_once()
    _refuse_other_tasks(members)
    speak(members[0].lang or AUTO if config.lang == AUTO else config.lang)
    everything = _summaries(members, config)
    unit = definition_of(members[0]).row
    summaries = _common(everything, unit)
    options = MapOptions(x=config.x, y=config.y, lang=spoken() or "en", dpi=config.dpi)
    comparisons.check_drawable(summaries, options)
    name = config.tracking.run_name or _name(list(summaries))
    saying = reporting("comparing {runs}", runs=Amount(len(members), "run"))
    with (
        contextlib.nullcontext(into) if into else store.new_run(name) as target,
        logged_together(target),
        saying,
    ):
        target.lang = spoken()
        target.set_tags({"datamap.compared": ",".join(run.run_id for run in members)})
        agreement = _log(target, config, members, summaries, unit)
        _log_changes(target, store, members, everything)
        _log_maps(target, options, summaries)
        target.tell("run {run}  ({address})", run=target.run_id, address=target.address)
    return Comparison(target, agreement)


def _members(store, config):
    """Return the runs to compare: in the order of the given ids, or those that match a search filter, oldest first.

    Raises:
        ConfigError: fewer than two, or too many.
    """
    listed = isinstance(config.runs, str) and re.fullmatch(r"[\s,]*([0-9a-f]{32}[\s,]*)+", config.runs)
    if isinstance(config.runs, str) and not listed:
        runs = store.search(config.runs)
    elif not listed and isinstance(config.runs, Sequence) and len(set(map(str, config.runs))) >= 2:
        runs = [store.run(str(run_id)) for run_id in config.runs]
        runs = list({run.run_id: run for run in runs}.values())
    else:
        raise ConfigError(
            f"runs={config.runs}: give two run ids or more, as in runs='[<id>,<id>]', or a search filter"
        )
    if len(runs) < 2:
        raise ConfigError(
            f"runs={config.runs}: {counted(len(runs), 'run')} with signals found, but a comparison needs two"
        )
    if len(runs) > MAX_RUNS:
        raise ConfigError(
            f"runs={config.runs}: {len(runs):,} runs with signals found, and a comparison takes at most {MAX_RUNS}; "
            "choose fewer"
        )
    return runs


def _refuse_other_tasks(members):
    """Raise ConfigError if the runs are of different tasks, whose numbers mean different things."""
    first, *others = ((run.run_id, run.task().task.value) for run in members)
    for run_id, task in others:
        if task != first[1]:
            raise ConfigError(
                f"runs=: run {first[0]} is of {first[1]}, run {run_id} of {task}; compare runs of one task"
            )


def _summaries(members, config):
    """Return {run's name, on one line: its summary}."""
    summaries = {}
    columns = MAP_COLUMNS | {"id", config.x, config.y}
    for run in members:
        name = " ".join(run.info.run_name.split())
        summaries[name if name not in summaries else f"{name} {run.run_id[:6]}"], _ = ensure_summary(
            run, config, columns
        )
    return summaries


def _common(summaries, unit):
    """Return the summaries, each reduced to the samples that all of the runs have."""
    total = max(map(len, summaries.values()))
    summaries = comparison.align_summaries(summaries)
    count = len(next(iter(summaries.values())))
    if count < total:
        some = "note: comparing only the {count:,} of {total} that all runs have"
        say(some, count=count, total=Amount(total, unit))
    return summaries


def _log(target, config, members, summaries, unit):
    agreement = comparison.agreement(summaries, config.share)
    hard = comparison.always_hard(summaries, config.share)
    for position, (name, column) in enumerate(Texts(members[0]).lists(hard["id"]).items(), start=1):
        hard.insert(position, name, column)
    target.log_config("compare", to_yaml(config))
    for frame, name in ((agreement, "agreement"), (hard, "always_hard")):
        target.log_bytes(b"".join(tsv.lines(spreadsheet.guarded(frame))), f"comparison/{name}.tsv")
    means = agreement.drop(columns=["run_a", "run_b"]).mean().dropna()
    target.log_metrics({f"pairwise/{name}": float(value) for name, value in means.items()}, 0)
    target.log_metrics({"pairwise/always_hard": len(hard)}, 0)
    links = [(run.info.run_name, run.link_to()) for run in members]
    weak = [name for name, frame in summaries.items() if comparison.learned_little(frame)]
    target.describe(
        descriptions.describe_comparison(
            links, means.to_dict(), len(hard), config.share, weak, target.language, unit
        )
    )
    if weak:
        say(
            "note: {runs} learned too little to tell which {unit}s are hard",
            unit=Phrase(unit),
            runs=first_few(weak),
        )
    for name, value in means.items():
        say(f"{name:28} {value:.3f}")
    target.tell(
        "among the hardest {share:.0%} of every run: {samples}, in comparison/always_hard.tsv",
        samples=Amount(len(hard), unit),
        share=config.share,
    )
    return agreement


def _name(runs):
    """Return a short name for the comparison: next to a long one, MLflow crops the picture of its card.

    >>> _name(["one", "two"]), _name(["magnificent-crab-702", "blushing-fly-991", "seed=1"])
    ('compare one, two', 'compare magnificent-crab-702 +2')
    """
    name = f"compare {first_few(runs)}"
    return name if len(name) <= MAX_WIDTH else f"compare {runs[0]} +{len(runs) - 1}"


def _log_changes(target, store, members, summaries):
    """Log what a correction changed, where a run was trained on a curated file of another one."""
    changes = corrected_data.changes(store, members, summaries, target.tell)
    if len(changes):
        content = b"".join(tsv.lines(spreadsheet.guarded(changes)))
        target.log_bytes(content, "comparison/changes.tsv")
        counts = changes["change"].value_counts()
        found = {f"pairwise/{name}": float(counts.get(name, 0)) for name in ("relabeled", "dropped")}
        target.log_metrics(found, 0)


def _log_maps(target, options, summaries):
    """Log each picture as a file, and a card of it into the image series that the UI shows."""
    from datamap.maps import cards, comparisons

    picture = comparisons.draw_comparison(summaries, options)
    _log_picture(target, "comparison", picture, "comparison", cards.draw_comparison(summaries, options))
    first, *others = summaries
    taken: set[str] = set()
    for number, other in enumerate(others, start=1):
        name = "movement" if len(others) == 1 else f"movement-{number}"
        pair = summaries[first], summaries[other], first, other
        series = _series(first, other, number, taken)
        picture = comparisons.draw_movement(*pair, options)
        _log_picture(target, name, picture, series, cards.draw_movement(*pair, options))


def _log_picture(target, name, picture, series, card):
    from datamap.maps import canvas, cards

    target.log_bytes(canvas.png(canvas.pixels(picture)), f"{schema.MAPS_DIR}/{name}.png")
    target.log_image(
        canvas.pixels(card), f"{schema.MAPS_DIR}/{series}", schema.NEWEST_STEP, cards.COMPARED_PIXELS
    )


def _series(before, after, number, taken):
    """Return the name of a movement's image series: that of its runs, as far as MLflow allows their characters."""
    before, after = (
        re.sub(r"[^\w .-]+", "-", name, flags=re.ASCII).strip("-")[:MAX_NAME] for name in (before, after)
    )
    name = f"{before} to {after}"
    if not (before and after) or name in taken:
        name = f"movement-{number}"
    taken.add(name)
    return name
