"""Read the stored diagnosis of a run, and check its score and that it is of the run's present summary."""

import tempfile
from collections.abc import Collection, Iterable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from datamap import schema
from datamap.data import spreadsheet
from datamap.data.rows import ids_of
from datamap.errors import ConfigError, SummaryError, raised_as, shortened
from datamap.labels import diagnosis
from datamap.labels.mislabel import SCORES
from datamap.summaries import tsv
from datamap.tracking.run import Run

SHOWN = 5  # rows that the terminal shows
OF_CONTRACT = ("id", "label", "proposed", "score")  # columns that each diagnosis has
UNLABELED_METRIC = "diagnosis/samples"  # of a run without classes, which has no estimate of wrong labels


def log_diagnosis(run: Run, made: diagnosis.Diagnosis) -> pd.DataFrame:
    """Log a diagnosis, and return its first rows."""
    first = pd.DataFrame()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, schema.DIAGNOSIS_FILE)
        with path.open("wb") as file:
            for table in made.tables():
                header, lines = tsv.lines(spreadsheet.guarded(table))
                file.write(header + lines if first.empty else lines)
                first = table.head(SHOWN) if first.empty else first
        run.log_file(path, schema.DIAGNOSIS_FILE)
    return first


def read_diagnosis(run: Run, score: str | None = None) -> pd.DataFrame:
    """Return the rows of diagnosis.tsv, most likely wrong first.

    Args:
        run: run with a diagnosis.
        score: score that it must have been diagnosed by; None = any.

    Raises:
        SummaryError: the run has no diagnosis, one of an earlier summary, or a damaged one.
        ConfigError: the diagnosis was made by another score.
    """
    content = run.artifacts.find(schema.DIAGNOSIS_FILE)
    if content is None:
        raise SummaryError(
            f"run {run.run_id} has no {schema.DIAGNOSIS_FILE}; make it: {diagnose_command(run, score)}"
        )
    check_score(run, score, "score")
    if is_outdated(run):
        raise SummaryError(
            f"run {run.run_id}: its summary is newer than its diagnosis; regenerate it: {diagnose_command(run, score)}"
        )
    return frame_of(content)


def frame_of(content: tsv.Source, columns: Collection[str] | None = None) -> pd.DataFrame:
    """Read columns of a diagnosis.tsv: ids as in the summary, score as float, all others as text (`table_of`)."""
    frame = table_of(content, columns).to_pandas()
    return frame.assign(id=ids_of(frame["id"].tolist()))


def table_of(content: tsv.Source, columns: Collection[str] | None = None) -> pa.Table:
    """Read columns of a diagnosis.tsv: score as float64 in [0, 1], all others as text without `spreadsheet.guarded`.

    Args:
        content: the file, or its bytes.
        columns: names of the columns, id and score among them; None = all. `evidence`, which older diagnoses lack,
            says "order only" where it is missing.

    Raises:
        SummaryError: the file is damaged, or lacks a column.
    """
    damaged, again = f"{schema.DIAGNOSIS_FILE} is damaged", "regenerate it with datamap diagnose"
    with raised_as(SummaryError, damaged, *tsv.UNREADABLE):
        known = tsv.header(content)
    wanted = [name for name in columns or OF_CONTRACT if name != "evidence" or name in known]
    table = tsv.text_table(content, schema.DIAGNOSIS_FILE, wanted, columns is None)
    if not len(table) or pc.count_distinct(table["id"]).as_py() < len(table):
        raise SummaryError(f"{damaged}: it has no rows, or an id occurs twice; {again}")
    scores = pd.to_numeric(table["score"].to_pandas(), errors="coerce")
    wrong = ~scores.between(0, 1)  # NaN is not
    if wrong.any():
        row = int(wrong.idxmax())
        problem = f"score {table['score'][row].as_py()!r} in row {row + 2} is not a number from 0 to 1"
        raise SummaryError(f"{damaged}: {problem}; {again}")
    texts = {name: _unguarded(table[name]) for name in table.column_names}
    evidence = texts.get("evidence", pa.array([diagnosis.ORDER] * len(table)))
    return pa.table({**texts, "evidence": evidence, "score": pa.array(scores, pa.float64())})


def is_probable(evidence: Iterable[str]) -> bool:
    """Tell if scores are probabilities, by the distinct values of the column `evidence`."""
    return set(evidence) <= set(diagnosis.words(diagnosis.PROBABILITY))


def _unguarded(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if not pc.any(pc.starts_with(column, "'")).as_py():
        return column
    return pa.chunked_array([pa.array(map(spreadsheet.unguarded, column.to_pylist()), pa.string())])


def check_score(run: Run, score: str | None, key: str = "diagnose.score") -> None:
    """Raise ConfigError if the run's diagnosis was made by another score than the requested one."""
    if score is not None and not (isinstance(score, str) and score in SCORES):
        raise ConfigError(f"score={shortened(score)}: no such score; choose {' or '.join(SCORES)}")
    own = _own_score(run)
    if score not in (own, None):
        raise ConfigError(
            f"{key}={score}: the run has a diagnosis by {f'score={own}' if own else 'another score'}; "
            f"regenerate it: {diagnose_command(run, score)}"
        )


def is_outdated(run: Run) -> bool:
    """Tell if the run was summarized again after its diagnosis."""
    diagnosed = max(map(run.time_of, ("mislabelled/estimate", UNLABELED_METRIC)))
    return run.time_of("summary/observations") > diagnosed


def diagnose_command(run: Run, score: str | None = None) -> str:
    """Return the command that diagnoses a run again, by a score or as before."""
    score = score or _own_score(run)
    return run.command("diagnose", *([f"score={score}"] if score else []))


def _own_score(run: Run) -> str | None:
    """Return the score that a run was diagnosed by; None if its config, which may be anybody's, names none of ours."""
    own = run.config("diagnose").get("score")
    return next((name for name in SCORES if name == own), None)
