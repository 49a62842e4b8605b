"""Reduce the units of each sample to one row: the summary and the diagnosis of samples that have several units."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from datamap import schema
from datamap.data import spreadsheet
from datamap.errors import SummaryError
from datamap.labels.diagnosis import Diagnosis
from datamap.maps.options import MapOptions
from datamap.pipeline.run_access import definition_of
from datamap.pipeline.stored_summary import summarize_command
from datamap.summaries import tsv
from datamap.tasks import units
from datamap.tracking.run import Run
from datamap.translations import word


def class_names(run: Run, lang: str) -> tuple[str, ...]:
    """Return the class names as people read them: the states of a label (absent, present) are words of ours."""
    names = run.class_names()
    return tuple(word(name, lang) for name in names) if definition_of(run).states else names


def named(run: Run, summary: pd.DataFrame, options: MapOptions) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return what a map is drawn of: a summary, and the names of the values of its column `label`.

    Where a row says whether a sample has one of several labels, a map that is colored or divided by label shows that
    one, the most common label first, rather than the two states that it can have.

    Args:
        run: the run.
        summary: its summary, with the column id, or that of its samples, where a row counts as its worst unit.
        options: options of the map.
    """
    if not definition_of(run).states or "label" not in (options.color, options.facet):
        return summary, class_names(run, options.lang)
    places = np.asarray(summary["worst"] if "worst" in summary else units.split(summary["id"])[1], np.int64)
    names = schema.all_class_names(run.task().label_names, int(places.max(initial=0)) + 1)
    order = np.argsort(-np.bincount(places, summary["label"], len(names)), kind="stable")
    return summary.assign(label=np.argsort(order)[places]), tuple(names[place] for place in order)


def summarize(file: Path, target: Path, count: int) -> int:
    """Write the summary of the samples, and return how many there are.

    A sample has the numbers of its worst unit, the one of lowest avg_probs (cleanlab's `token_classification.rank`).
    `units` counts its units, `worst` is the position of the worst one, and `average` the exponential average of the
    units' avg_probs (`units.exponential_average`).

    Args:
        file: summary.tsv of a run of a task with several units per sample.
        target: the file to write.
        count: number of its units.
    """
    distinct, groups, positions, confidence = _columns(file, count)
    worst, average = [], []
    for rows in units.whole_groups(groups):
        values, own = confidence[rows], groups[rows] - groups[rows[0]]
        worst.append(rows[units.worst_rows(values, own)])
        average.append(units.exponential_average(values, own))
    first = np.concatenate(worst)
    order = np.argsort(first)  # `read_rows` reads in the file's order
    frame = tsv.read_rows(file, first[order]).iloc[np.argsort(order)].reset_index(drop=True)
    frame["id"] = distinct.to_pylist()
    own = {"average": np.concatenate(average), "worst": positions[first], "units": np.bincount(groups)}
    # After the id, as the statistics do not fit on a screen.
    for place, (name, values) in enumerate(own.items(), 1):
        frame.insert(place, name, values)
    target.write_bytes(b"".join(tsv.lines(frame)))
    return len(frame)


def _columns(file: Path, count: int) -> tuple[pa.Array, np.ndarray, np.ndarray, np.ndarray]:
    """Return the samples' ids, and of each of `count` units its sample's place among them, position and avg_probs.

    Memory holds 16 bytes for a unit.
    """
    known, start = units.SampleNumbers(), 0
    groups, positions, confidence = (np.empty(count, kind) for kind in (np.int32, np.int32, np.float64))
    for block in tsv.blocks(file, {"id", "avg_probs"}):
        some = slice(start, start + len(block))
        groups[some], positions[some] = known.numbered(block["id"])
        confidence[some] = block["avg_probs"]
        start = some.stop
    return known.ids, groups, positions, confidence


def log_diagnosis(run: Run, made: Diagnosis) -> dict[str, float]:
    """Log the diagnosis of the samples, most likely wrong first, and return metrics of it.

    The score of a sample is that of its worst unit, which its text has in brackets and whose position is `worst`. If
    the scores are probabilities, `wrong` is the expected number of wrong units, Σ P, and the metric `samples` the
    expected number of samples with one, Σ (1 − Π (1 − P)).

    Args:
        run: the run.
        made: the diagnosis of its units.
    """
    order, (ids, own, positions) = made.order, units.grouped(made.summary["id"])
    distinct, first = np.unique(own[order], return_index=True)
    distinct = distinct[np.argsort(first)]  # in the order of their worst units
    places = np.empty(len(ids), np.int32)
    places[distinct] = np.arange(len(ids))
    groups, worst = places[own[order]], order[np.sort(first)]
    columns = {
        "score": made.rounded[worst],
        **made.labels(worst),
        "worst": positions[worst],
        "units": np.bincount(groups),
    }
    found = {}
    if made.probable:
        scores = made.rounded[order]
        columns["wrong"] = np.round(np.bincount(groups, scores), 2)
        right = np.exp(np.bincount(groups, np.log1p(-scores.clip(0, 1 - 1e-9))))
        found["samples"] = float((1 - right).sum())
    samples = ids.take(pa.array(distinct))
    # Texts are long, and what comes after them is off the screen in MLflow's viewer.
    last = {"evidence": made.meaning, "id": samples.to_pylist()}
    table = pd.DataFrame({**columns, **made.texts(made.summary["id"].iloc[worst]), **last})
    run.log_bytes(b"".join(tsv.lines(spreadsheet.guarded(table))), schema.UNITS_DIAGNOSIS_FILE)
    return found


def read_summary(run: Run) -> pd.DataFrame:
    """Return the summary of the samples.

    Raises:
        SummaryError: the run has none, or it is damaged.
    """
    if not run.has(schema.UNITS_SUMMARY_FILE):
        raise SummaryError(
            f"run {run.run_id} has no {schema.UNITS_SUMMARY_FILE}; make it: {summarize_command(run)}"
        )
    with run.artifacts.local(schema.UNITS_SUMMARY_FILE) as file:
        return tsv.read(file)
