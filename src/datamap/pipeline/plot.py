"""Draw a data map of a run and log it into the run."""

import re
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa

from datamap import schema
from datamap.config import PlotConfig, to_yaml
from datamap.errors import ConfigError, MapError, shortened
from datamap.log import reporting, say
from datamap.maps import plans
from datamap.maps.groups import numeric_column
from datamap.maps.options import check_size
from datamap.pipeline import unit_samples
from datamap.pipeline.explorer import log_explorer
from datamap.pipeline.run_access import definition_of, open_run
from datamap.pipeline.run_description import describe
from datamap.pipeline.stored_summary import MAP_COLUMNS
from datamap.pipeline.summarize import ensure_summary
from datamap.translations import Phrase

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_NAME = 120  # letters; the store's file names hold 255, of which the image series needs 90


def plot(config: PlotConfig) -> "Figure":
    """Draw a data map of a run, log it as `maps/<name>.png` and into the image series of that name, and return it.

    Raises:
        MapError: the map's name is not allowed, or a filter keeps no sample.
        SummaryError: the run's summary is damaged.
    """
    name = map_name(config)
    run = open_run(config, "plot")
    config = replace(config, lang=run.language)
    _refuse_task(run, config)
    unit = definition_of(run).row
    if config.explorer:
        run.fetch(schema.PACK_FILE)
    asked = {getattr(config, key) for key in ("x", "y", "color", "facet", "criterion")} - {None}
    asked |= {"id"} if "label" in asked else set()
    summary, count = ensure_summary(run, config, MAP_COLUMNS | asked)
    samples = unit_samples.read_summary(run) if config.unit == "sample" and unit != "sample" else summary
    row = unit if samples is summary else "sample"
    _say_if_undivided(samples, config, row)
    samples, names = unit_samples.named(run, samples, config)
    plans.shown(samples, plans.make_plan(config), config, row)  # what is wrong with the options is said first
    with run.together():
        if config.explorer:  # before Matplotlib and the picture are in memory
            log_explorer(run)
        about = {"class_names": names, "observations": count, "unit": row}
        figure, card = _drawn(samples, config, name, run.info.run_name, about)
        width, height = _log_map(run, figure, card, name, config)
        describe(run, len(summary))
    say(
        "{path}.png: {width} × {height} pixels, logged into run {run}: {address}",
        path=f"{schema.MAPS_DIR}/{name}",
        width=width,
        height=height,
        run=run.run_id,
        address=run.address,
    )
    return figure


def _drawn(
    samples: pd.DataFrame, config: PlotConfig, name: str, title: str, about: dict[str, Any]
) -> tuple["Figure", "Figure"]:
    """Return (the map, its card), and print what the map leaves out as notes."""
    from datamap.maps import cards, figures

    drawing = reporting("drawing {path}.png", path=f"{schema.MAPS_DIR}/{name}")
    with drawing, warnings.catch_warnings(record=True) as caught:
        figure = figures.draw_map(samples, config, title=title, **about)
        card = cards.draw_card(samples, config, **about)
    pa.default_memory_pool().release_unused()  # what drawing has freed; pictures are encoded next
    for message in dict.fromkeys(str(warning.message) for warning in caught):
        say("note: {note}", note=message)
    return figure, card


def _say_if_undivided(samples, config, unit):
    """Print a note where a filter keeps every row, or where planted kinds are unknown and all have one color.

    Raises:
        MapError: the filter's column is not numeric.
    """
    criterion = config.criterion
    if criterion and (samples[numeric_column(samples, criterion, "criterion")] >= config.threshold).all():
        every = (
            "note: every {unit} has {column} ≥ {threshold:g}, so the map shows all; give a larger threshold="
        )
        say(every, unit=Phrase(unit), column=criterion, threshold=config.threshold)
    if config.dirty_label and not samples["s_label"].any():
        none = (
            "note: no {unit} is known to be planted, so dirty_label=true draws one color; to name a column of kinds: "
            "train data.columns.s_label="
        )
        say(none, unit=Phrase(unit))


def _refuse_task(run, config):
    """Raise ConfigError for a coloring by class of a run that has none."""
    definition = definition_of(run)
    by_class = [f"{key}=label" for key in ("color", "facet") if getattr(config, key) == "label"]
    if by_class and not definition.has_classes:
        raise ConfigError(
            f"{by_class[0]}: run {run.run_id} is of {definition.task.value} and has no classes; choose another column, "
            "such as correct_ratio"
        )


def map_name(config: PlotConfig) -> str:
    """Return the name of the map's file and image series, of ASCII letters, as MLflow demands.

    Raises:
        MapError: the name is not allowed, or the options contradict each other.
    """
    check_size(config.width, config.height, config.dpi)
    of_samples = "-samples" if config.unit == "sample" else ""
    name = f"{plans.make_plan(config).name}{of_samples}"
    if config.name is not None:
        name = config.name
    if ".." in name or not re.fullmatch(r"[\w.-]([\w. -]*[\w.-])?(/\w([\w. -]*[\w.-])?)*", name, re.ASCII):
        raise MapError(
            f"name={shortened(name)}: a map's name is made of letters a to z, digits, spaces and - _ ., and / between "
            "them; give another one"
        )
    if len(name) > MAX_NAME:
        raise MapError(
            f"name={shortened(name)}: a map's name has at most {MAX_NAME} letters; give a shorter one"
        )
    return name


def _log_map(run, figure, card, name, config):
    """Log a map as a file and as a step of its image series; return (width, height) in pixels."""
    from datamap.maps import canvas, cards

    array = canvas.pixels(figure)
    path = f"{schema.MAPS_DIR}/{name}"
    run.log_bytes(canvas.png(array), f"{path}.png")
    if config.svg:
        run.log_text(canvas.svg(figure), f"{path}.svg")
    # The folder in the key makes a section `maps`, which comes first on the run's page.
    run.log_image(canvas.pixels(card), path, schema.NEWEST_STEP, cards.PIXELS)
    run.log_config("plot", to_yaml(config))
    return len(array[0]), len(array)
