"""What notebooks call: a run's summary, diagnosis and explorer, and how far runs agree.

Runs are looked for where MLflow looks (`mlflow.set_tracking_uri`), the "latest" in the active experiment
(`mlflow.set_experiment`), by default the experiment `datamap`.
"""

import html
import numbers
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from datamap import schema
from datamap.errors import ConfigError, shortened

if TYPE_CHECKING:
    import pandas as pd

    from datamap.tracking.store import Run


class ExplorerPage:
    """The explorer of a run: the last expression of a notebook's cell shows it; `save` writes it to a file.

    Attributes:
        content: the HTML page, bytes of UTF-8; it needs no network.
        height: of the frame in a notebook, in pixels.
    """

    def __init__(self, content: bytes, height: int) -> None:
        self.content, self.height = content, height

    def _repr_html_(self) -> str:
        # A frame of its own: the page's styles and scripts, and the texts in it, stay out of the notebook.
        page = html.escape(self.content.decode())
        return (
            f'<iframe srcdoc="{page}" width="100%" height="{self.height}" '
            'sandbox="allow-scripts allow-downloads" style="border: 0"></iframe>'
        )

    def save(self, path: str | Path) -> Path:
        """Write the page to a file, which any browser opens; returns its path."""
        Path(path).write_bytes(self.content)
        return Path(path)


def summary(run_id: str = "latest") -> "pd.DataFrame":
    """The summary of a run: one row per sample. A run that has none is summarized first, which is logged.

    Args:
        run_id: the run's id, or "latest" for the newest run with signals.
    Returns:
        DataFrame (samples, columns) of summary.tsv, in the order of the first observation. The columns are those of
        docs/summary.md, among them avg_probs ("confidence", Swayamdipta et al. 2020, eq. 1; 0 to 1), label_var
        (the variance whose root is "variability", eq. 2) and forgetting_times (Toneva et al. 2019).
    Raises:
        TrackingError: there is no such store or run, or the run has no signals.
        SignalError, SummaryError, DataError: what the run holds is damaged.
    """
    return _summary(_run(run_id))


def diagnosis(run_id: str = "latest") -> "pd.DataFrame":
    """Which labels of a run are likely wrong: one row per sample, likeliest first.

    A run that has no diagnosis is diagnosed first, with the defaults of `datamap diagnose`, which is logged.

    Args:
        run_id: the run's id, or "latest" for the newest run with signals.
    Returns:
        DataFrame (samples, columns) of diagnosis.tsv: text_a and text_b where the run has texts, label (the given one),
        proposed, why, score (0 to 1; docs/detection.md defines the scores), region, variability, id.
    Raises:
        TrackingError: there is no such store or run, or the run has no signals.
        SignalError, SummaryError, DataError: what the run holds is damaged.
    """
    from datamap.config import defaults
    from datamap.data import spreadsheet
    from datamap.pipeline.diagnose import diagnose_run

    run = _run(run_id)
    if not run.has(schema.DIAGNOSIS_FILE):
        diagnose_run(run, defaults("diagnose", run_id=run.run_id), next_step=False)
    return spreadsheet.read_diagnosis(run.artifacts.read(schema.DIAGNOSIS_FILE))


def explore(run_id: str = "latest", *, height: int = 720, lang: str = "en") -> ExplorerPage:
    """The map to hover, filter, select and replay, inline in Jupyter (docs/explorer.md). Nothing is logged.

    Args:
        run_id: the run's id, or "latest" for the newest run with signals; a run that has no summary is summarized
            first, which is logged.
        height: of the frame, 100 to 10,000 pixels.
        lang: of the words on the page, "en" or "zh".
    Returns:
        ExplorerPage, which Jupyter shows; 1,000,000 samples at most, of more a part.
    Raises:
        ConfigError: a height or language that there is not.
        TrackingError: there is no such store or run, or the run has no signals.
        SignalError, SummaryError, DataError: what the run holds is damaged.
    """
    from datamap.pipeline.explorer import explorer_page

    if lang not in ("en", "zh"):
        raise ConfigError(f"lang={shortened(lang)}: choose en or zh")
    if type(height) is not int or not 100 <= height <= 10_000:
        raise ConfigError(f"height={shortened(height)} is out of range: it must be 100 to 10,000 pixels")
    run = _run(run_id)
    return ExplorerPage(explorer_page(run, _summary(run), lang), height)


def compare(run_ids: Iterable[str], *, share: float = 0.1) -> "pd.DataFrame":
    """How far the data maps of several runs agree, over the samples that all of them have. Nothing is logged.

    `datamap compare` logs these numbers, with the maps, as a run of its own.

    Args:
        run_ids: two ids or more; runs that have no summary are summarized first, which is logged.
        share: of the samples that count as a run's hardest (lowest avg_probs), above 0 to 1.
    Returns:
        DataFrame, one row per pair: run_a, run_b (names of runs); spearman_avg_probs, spearman_label_var and
        spearman_forgetting_times (rank correlations, −1 to 1); jaccard_hardest (Jaccard 1912, 0 to 1).
    Raises:
        ConfigError: fewer than two runs, or a share out of range.
        SummaryError: the runs have no sample in common.
        TrackingError: there is no such store or run, or a run has no signals.
    """
    from datamap.summaries import comparison

    several = isinstance(run_ids, Iterable) and not isinstance(run_ids, str | bytes | Mapping)
    ids = list(run_ids) if several else []
    if not all(isinstance(run_id, str) for run_id in ids) or len(set(ids)) < 2:
        raise ConfigError(f"run_ids={shortened(ids or run_ids)}: give the ids of two runs or more")
    if not _is_number(share) or not 0 < share <= 1:
        raise ConfigError(f"share={shortened(share)} is out of range: it must be above 0 and at most 1")
    summaries: dict[str, pd.DataFrame] = {}
    for run in (_run(run_id) for run_id in dict.fromkeys(ids)):
        name = run.info.run_name
        summaries[f"{name} {run.run_id[:6]}" if name in summaries else name] = _summary(run)
    return comparison.agreement(comparison.aligned(summaries), share)


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real)


def _run(run_id: str) -> "Run":
    from datamap.tracking.store import Store

    if not isinstance(run_id, str) or not run_id.strip():
        raise ConfigError(f'run_id={shortened(run_id)}: give a run\'s id, or "latest"')
    return Store().run(run_id)


def _summary(run: "Run") -> "pd.DataFrame":
    from datamap.config import defaults
    from datamap.pipeline.summarize import ensure_summary

    return ensure_summary(run, defaults("plot", run_id=run.run_id), None)[0]
