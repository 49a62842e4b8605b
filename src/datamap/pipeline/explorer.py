"""Build the explorer of a run from its artifacts, and log it unless it is up to date."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from datamap import __version__, schema
from datamap.digests import digest_of
from datamap.errors import DataMapError
from datamap.labels.reasons import retold
from datamap.log import reporting, say
from datamap.maps import explorer, explorer_data, layout
from datamap.pipeline import stored_diagnosis
from datamap.pipeline.run_access import definition_of
from datamap.pipeline.stored_embeddings import shown_embeddings
from datamap.pipeline.stored_summary import MAP_COLUMNS, summarized_observations, summary_file
from datamap.pipeline.stored_texts import Texts
from datamap.pipeline.unit_samples import class_names
from datamap.program import invocation
from datamap.signals import align, trajectories
from datamap.summaries import tsv
from datamap.tracking.hidden_tags import DIGEST_TAG, EXPLORER_TAG
from datamap.tracking.run import Run

MADE_FROM = (
    schema.SUMMARY_FILE, schema.SAMPLES_FILE, schema.LABELS_FILE, schema.DIAGNOSIS_FILE, schema.EMBEDDINGS_FILE,
)  # fmt: skip


def log_explorer(run: Run) -> None:
    """Log the explorer into the run, in the run's language, unless the stored one was made from the same artifacts."""
    digest = _digest(run)
    address = run.opened_at(schema.EXPLORER_FILE)
    made_from, _, size = run.tags().get(EXPLORER_TAG, "").rpartition(" ")
    if digest and made_from == digest and size == str(run.artifacts.size_of(schema.EXPLORER_FILE)):
        say("{file} is already up to date: {address}", file=schema.EXPLORER_FILE, address=address)
        return
    with reporting("building {file}", file=schema.EXPLORER_FILE):
        page = explorer_page(run, run.language)
    run.log_bytes(page, schema.EXPLORER_FILE)
    run.set_tags({EXPLORER_TAG: f"{digest} {len(page)}"})
    del page
    pa.default_memory_pool().release_unused()
    run.tell(
        "{file}: hover, filter, select and replay: {address}", file=schema.EXPLORER_FILE, address=address
    )


def regenerate_explorer(run: Run) -> None:
    """Regenerate the explorer of a run where it has one, so that it shows the newest diagnosis."""
    if run.has(schema.EXPLORER_FILE):
        log_explorer(run)


def explorer_page(run: Run, lang: str) -> bytes:
    """Return the explorer of a run as an HTML page.

    Args:
        run: run with a summary.
        lang: language of the page, "en" or "zh".

    Returns:
        HTML in UTF-8; a part of the samples where all would make the page too large.

    Raises:
        SummaryError: the run has no summary, or it is damaged.
        SignalError: the run's signals are damaged.
    """
    run.fetch(schema.SAMPLES_FILE, schema.DIAGNOSIS_FILE, schema.EMBEDDINGS_FILE)
    names = class_names(run, lang)
    with summary_file(run) as (file, _):
        observed, _ = summarized_observations(run)
        ids, rows, looks = _chosen(file, names, lang)
        # What needs the most memory while it is read comes first.
        histories = trajectories.read(run.artifacts, observed, ids)
        shown = _laid_out(run, tsv.read_rows(file, rows, single=True))
    texts, found = Texts(run).reader(ids), _diagnosis(run, ids, lang)
    unit = next(iter(observed.values()))[0].unit
    title, next_step = run.info.run_name, _next_step(run, found)
    labeled = definition_of(run).has_classes
    has_texts = bool(texts(np.zeros(0, int)))

    def texts_of_rows(rows: np.ndarray) -> dict[str, list[str]]:
        shown = {name: column.to_pylist() for name, column in texts(rows).items()}
        return shown | ({"why": found.why(rows)} if found else {})

    return explorer.build_page(
        shown, histories, texts_of_rows, names, title, looks, unit, lang, found and found.numbers, next_step, labeled,
        invocation("curate", f"run_id={run.run_id}", "keep=matching") if has_texts else None, definition_of(run).row,
    )  # fmt: skip


def _chosen(
    file: Path, names: tuple[str, ...], lang: str
) -> tuple[pa.Array, np.ndarray, explorer.Appearance]:
    """Return (ids, rows) of a summary that the page shows, and the looks of the whole, which is not kept."""
    whole = tsv.read(file, MAP_COLUMNS | {"id"}, single=True)  # as the page has them
    most = explorer_data.max_samples([*tsv.header(file), *layout.COLUMNS])
    rows = explorer.subsample(whole, most)
    return align.array(whole["id"].take(rows)), rows, explorer.Appearance.from_summary(whole, names, lang)


def _laid_out(run: Run, shown: pd.DataFrame) -> pd.DataFrame:
    """Add two columns that lay the samples out by their embeddings, where the run has readable ones."""
    note = "note: the explorer shows no embeddings: {error}"
    found = shown_embeddings(run, align.array(shown["id"]), note)
    if found is None:
        return shown
    places = layout.layout(found.vectors)
    return shown.assign(**dict(zip(layout.COLUMNS, places.T, strict=True)))


def _next_step(run, diagnosis):
    arguments = [f"run_id={run.run_id}"]
    if not definition_of(run).has_classes:
        if diagnosis is None:
            return "Rank the samples, hard or wrong ones first:", invocation("diagnose", *arguments)
        return "Read the samples, hard or wrong ones first:", invocation("review", *arguments)
    if diagnosis is None:
        return "Find the labels that are likely wrong:", invocation("diagnose", *arguments)
    return "Review the labels, most likely wrong first:", invocation("review", *arguments)


class _Diagnosis(NamedTuple):
    """Hold the numbers of a diagnosis for `build_page`, and a function from rows to their reasons."""

    numbers: pd.DataFrame
    why: Callable[[np.ndarray], list[str]]


def _diagnosis(run: Run, ids: pa.Array, lang: str) -> _Diagnosis | None:
    """Return the diagnosis of these samples; None where the run has no readable one."""
    try:
        if not run.has(schema.DIAGNOSIS_FILE):
            return None
        with run.artifacts.local(schema.DIAGNOSIS_FILE) as file:
            table = stored_diagnosis.table_of(file, ["id", "score", "proposed", "why", "evidence"])
    except DataMapError as error:
        say("note: the explorer shows no diagnosis: {error}", error=error)
        return None
    states = definition_of(run).states
    rows, scores = align.rows(ids, table["id"]), table["score"].to_numpy()
    proposed = table["proposed"].to_pandas()
    known, reasons = rows >= 0, table["why"]
    retelling = _retelling(reasons, lang, states)
    probable = stored_diagnosis.is_probable(table["evidence"].unique().to_pylist())
    del table  # the reasons alone are asked for later, part by part
    ranks = {} if probable else {"rank": pd.Series(rows + 1, dtype="Int64").where(known)}
    numbers = pd.DataFrame(
        {
            "score": np.where(known, scores[rows], np.nan),
            **ranks,
            "proposed": np.where(known, _classes(proposed, run.class_names())[rows], -1),
        }
    )

    def why(some: np.ndarray) -> list[str]:
        own = rows[some]
        found = reasons.take(pa.array(own, mask=own < 0)).fill_null("").to_pylist()
        return [retelling(one) for one in found] if retelling else found

    return _Diagnosis(numbers, why)


def _retelling(why: pa.ChunkedArray, lang: str, states: tuple[str, ...]) -> Callable[[str], str] | None:
    """Return what says a reason in language `lang`; None where the first one is in it already."""
    first = next((one.as_py() for one in why if one.as_py()), "")
    if retold(first, lang) == first and (lang == "en" or not states):
        return None
    return lambda one: retold(one, lang, states)


def _classes(proposed: pd.Series, names: tuple[str, ...]) -> np.ndarray:
    """Return the class indices of the column `proposed`: of a name, of a number as text, or −1 of an empty cell."""
    codes, distinct = pd.factorize(proposed)
    index = {name: k for k, name in reversed(list(enumerate(names)))}

    def of(name):
        return index.get(name, int(name) if re.fullmatch("[0-9]{1,5}", name) else -1)

    return np.array([*map(of, distinct), -1])[codes]


def _digest(run: Run) -> str:
    """Hash all that the explorer is made from, our version included; return "" if the summary's digest is unknown."""
    tags = run.tags()
    artifacts = [tags.get(DIGEST_TAG + path, "") for path in MADE_FROM]
    if not artifacts[0]:
        return ""
    said = [run.info.run_name, run.language, *_next_step(run, None), *artifacts]
    return digest_of("\0".join([__version__, *said]))[:32]
