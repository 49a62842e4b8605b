"""Rank the samples of a run without classes, hard or wrong ones first: nothing tells the two apart but reading them."""

import numpy as np
import pandas as pd

from datamap import schema
from datamap.config import DiagnoseConfig, to_yaml
from datamap.errors import ConfigError, cut
from datamap.labels import diagnosis, mislabel
from datamap.labels.mislabel import Evidence
from datamap.labels.reasons import number_reasons
from datamap.log import reporting, say
from datamap.pipeline.explorer import regenerate_explorer
from datamap.pipeline.run_description import describe
from datamap.pipeline.stored_diagnosis import UNLABELED_METRIC, log_diagnosis
from datamap.pipeline.stored_texts import Texts
from datamap.tasks.task import Definition
from datamap.tracking.run import Run

MAX_TEXT = 1000  # characters of a text in diagnosis.tsv, which is to be read; the run keeps the whole one
SCORES = ("combined", "confidence", "aum", "forgetting")  # those that need no classes


def check(run: Run, definition: Definition, score: str) -> None:
    """Raise ConfigError for a score that compares classes."""
    if score not in SCORES:
        raise ConfigError(
            f"score={score}: run {run.run_id} is of {definition.task.value} and has no classes; choose "
            f"score={', '.join(SCORES)}"
        )


def rank(
    run: Run, samples: pd.DataFrame, observations: int, config: DiagnoseConfig, regions: np.ndarray
) -> tuple[pd.DataFrame, np.ndarray]:
    """Log `diagnosis.tsv` and the number of its rows, and return (its first rows, the samples' scores).

    Args:
        run: run with a summary.
        samples: all columns of its summary.
        observations: how many the summary covers.
        config: keys of conf/diagnose.yaml.
        regions: the samples' regions (`maps.regions.assign`).
    """
    labels = samples["label"].to_numpy()
    evidence = Evidence.of_summary(samples, np.zeros(observations, int))
    scores = mislabel.SCORES["confidence" if config.score == "combined" else config.score](evidence)
    shown = Texts(run) if config.texts else None

    def texts(ids: pd.Series) -> dict[str, list[str]]:
        columns = shown.lists(ids) if shown else {}
        return {name: [cut(text, MAX_TEXT) for text in column] for name, column in columns.items()}

    made = diagnosis.Diagnosis(
        samples,
        evidence,
        scores,
        labels,
        regions,
        names=[str(index) for index in range(int(labels.max()) + 1)],
        texts=texts,
        probable=False,
        lang=run.language,
        numbers=lambda rows: number_reasons(samples.iloc[rows], run.language),
    )
    with run.together():
        run.log_config("diagnose", to_yaml(config))
        with reporting("building {file}", file=schema.DIAGNOSIS_FILE):
            first = log_diagnosis(run, made)
        run.log_metrics({UNLABELED_METRIC: len(samples)}, max(run.committed()))
        regenerate_explorer(run)
        describe(run, len(samples))
    return first, scores


def report(run: Run, regions: np.ndarray, first: pd.DataFrame) -> None:
    """Print where the list is, how many samples each region has, and the first rows."""
    say(
        "{file}: {count:,} samples, hard or wrong ones first, read them: {address}",
        file=schema.DIAGNOSIS_FILE,
        count=len(regions),
        address=run.opened_at(schema.DIAGNOSIS_FILE),
    )
    say("  " + diagnosis.regions_told(regions, run.language))
    for rank, row in enumerate(first.to_dict("records"), 1):  # the scores only order
        texts = diagnosis.texts_told(row)[:200]
        say(f"  {rank}.  {row['id']}  {row['why']}  {texts}".rstrip())
