"""Load what a run holds, or call a step that logs into it: the API for notebooks and programs.

The examples are of a run of 40 samples, every eighth of which has a wrong label; what the steps print is left out.

`load_run` only reads. `summarize`, `diagnose`, `plot`, `curate` and `compare` do what the commands of these names do:
they log into MLflow, and return what they made. Their keyword arguments are the keys of `conf/<command>.yaml`.

Runs are looked for in `tracking_uri`, by default where MLflow looks (`mlflow.set_tracking_uri`); "latest" is the newest
run with signals of the active experiment (`mlflow.set_experiment`), by default of the experiment `datamap`.
"""

import html
import numbers
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datamap import schema
from datamap.config import defaults
from datamap.errors import ConfigError, MapError, raised_as, shortened
from datamap.log import silence

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from datamap.maps.options import MapOptions
    from datamap.tracking.run import Run


class ExplorerPage:
    """Show the explorer of a run as the last expression of a notebook's cell, or `save` it to a file.

    Attributes:
        content: the HTML page, bytes of UTF-8; it needs no network.
        height: height of the frame in a notebook, in pixels.

    >>> datamap.load_run().explorer().height
    720
    """

    def __init__(self, content: bytes, height: int) -> None:
        self.content, self.height = content, height

    def __repr__(self) -> str:
        return f"<explorer page of {len(self.content):,} bytes; save(path) writes it>"

    def _repr_html_(self) -> str:
        # A frame of its own: the page's styles and scripts, and the texts in it, stay out of the notebook.
        page = html.escape(self.content.decode())
        return (
            f'<iframe srcdoc="{page}" width="100%" height="{self.height}" '
            'sandbox="allow-scripts allow-downloads" style="border: 0"></iframe>'
        )

    def save(self, path: str | Path) -> Path:
        """Write the page to a file, which any browser opens; return its path.

        Raises:
            MapError: the file cannot be written.

        >>> datamap.load_run().explorer().save("map.html").name
        'map.html'
        """
        with raised_as(MapError, f"path={shortened(str(path))}", OSError, ValueError, TypeError):
            Path(path).write_bytes(self.content)
        return Path(path)


class LoadedRun:
    """Read what a run holds; the methods read at each call, and log and print nothing.

    Labels are categories in every table: `.astype(str)` gives the names of the classes, `.cat.codes` their indices.

    Attributes:
        run_id: id of the MLflow run.
        name: name of the run.
        class_names: names of the classes, by index.
        task: "classification", "tokens", "multilabel", "generation" or "scores".

    >>> datamap.load_run().name
    'seed 2'
    """

    def __init__(self, run: "Run") -> None:
        self._run = run
        self.run_id: str = run.run_id
        self.name: str = run.info.run_name
        self.class_names: tuple[str, ...] = run.class_names()
        self.task: str = run.task().task.value

    def __repr__(self) -> str:
        return f"<run {self.run_id} ({self.name})>"

    def summary(self) -> "pd.DataFrame":
        """Return the statistics of the samples, one row per sample, in the order of the first observation.

        Returns:
            DataFrame (samples, columns) with the columns of summary.tsv (docs/summary.md), among them avg_probs
            ("confidence", Swayamdipta et al. 2020, eq. 1; 0 to 1), label_var (the variance whose root is
            "variability", eq. 2) and forgetting_times (Toneva et al. 2019).

        Raises:
            SummaryError: the run is not summarized yet, or its summary is damaged.
            TrackingError: the store is unreachable.

        >>> summary = datamap.load_run().summary()
        >>> sorted(summary.nsmallest(5, "avg_probs")["id"])
        [0, 8, 16, 24, 32]
        """
        from datamap.pipeline.stored_summary import read_summary

        with silence():
            table = read_summary(self._run)[0].copy()  # of memory that can be written to
        table["label"] = self._classes(table["label"])
        return table

    def diagnosis(self, score: str | None = None) -> "pd.DataFrame":
        """Return the samples, most likely wrong first.

        Args:
            score: score that the run must have been diagnosed by (docs/detection.md); None = any.

        Returns:
            DataFrame (samples, columns) of diagnosis.tsv: score (0 to 1), label (the given one), proposed, text_a and
            text_b where the run has texts, why, evidence (what the score means), region, variability, id.

        Raises:
            SummaryError: the run is not diagnosed yet, was summarized again since, or its diagnosis is damaged.
            ConfigError: the run was diagnosed by another score.
            TrackingError: the store is unreachable.

        >>> first = datamap.load_run().diagnosis().iloc[0]
        >>> first["label"] != first["proposed"]
        True
        """
        import pandas as pd

        from datamap.pipeline.stored_diagnosis import read_diagnosis

        with silence():
            table = read_diagnosis(self._run, score)
        if "variability" in table:
            table["variability"] = pd.to_numeric(table["variability"], errors="coerce")
        for column in ("label", "proposed"):
            table[column] = self._classes(table[column])
        return table

    def explorer(self, *, height: int = 720, lang: str = "auto") -> ExplorerPage:
        """Return the map to hover, filter, select and replay (docs/explorer.md); Jupyter shows it inline.

        Args:
            height: height of the frame, 100 to 10,000 pixels.
            lang: language of the page, "en" or "zh"; "auto" = the run's, else that of DATAMAP_LANG, else "en".

        Returns:
            ExplorerPage of at most 1,000,000 samples; a part of the samples if there are more.

        Raises:
            ConfigError: the height or the language is not allowed.
            SummaryError: the run is not summarized yet, or its summary is damaged.
            SignalError: its signals are damaged.
            TrackingError: the store is unreachable.

        >>> datamap.load_run().explorer(height=500)
        <explorer page of ... bytes; save(path) writes it>
        """
        from datamap.pipeline.explorer import explorer_page

        if not isinstance(lang, str) or lang not in ("auto", "en", "zh"):
            raise ConfigError(f"lang={shortened(lang)}: choose auto, en or zh")
        given: Any = height
        if not isinstance(given, numbers.Integral) or not 100 <= int(given) <= 10_000:
            raise ConfigError(f"height={shortened(given)}: give a whole number of pixels, 100 to 10,000")
        lang = self._run.language if lang == "auto" else lang
        with silence():
            return ExplorerPage(explorer_page(self._run, lang), height)

    def map(self, options: "MapOptions | None" = None, **keywords: Any) -> "Figure":
        """Return the data map as a matplotlib Figure.

        Args:
            options: `MapOptions`; the default options if None.
            **keywords: fields of `MapOptions` that replace those of `options`.

        Raises:
            SummaryError: the run is not summarized yet, or its summary is damaged.
            MapError: see `draw_map`.
            ConfigError: see `draw_map`.

        >>> datamap.load_run().map(color="label", dpi=100)
        <MapFigure size 720x540 with 1 Axes>
        """
        from datamap.maps.figures import draw_map
        from datamap.maps.options import merge_options
        from datamap.pipeline.run_access import definition_of
        from datamap.pipeline.stored_summary import read_summary
        from datamap.pipeline.unit_samples import named

        with silence():
            table, about = read_summary(self._run)
        table, names = named(self._run, table, merge_options(options, keywords))
        return draw_map(
            table, options, class_names=names, title=self.name,
            observations=len(about.observations), unit=definition_of(self._run).row, **keywords,
        )  # fmt: skip

    def decisions(self) -> "pd.DataFrame":
        """Return what reviewers decided and did not undo, one row per sample and reviewer.

        Returns:
            DataFrame with the columns id (text), action (keep, label, drop or unsure), old_label, new_label, who,
            when (ISO 8601, UTC) and score (of the sample at that time); empty where nobody has reviewed.

        Raises:
            TrackingError: the store is unreachable.

        >>> len(datamap.load_run().decisions())
        0
        """
        import pandas as pd

        from datamap.pipeline.corrections import read_decisions

        with silence():
            found = read_decisions(self._run)
        columns = ["id", "action", "old_label", "new_label", "who", "when", "score"]
        table = pd.DataFrame([decision._asdict() for decision in found], columns=columns)
        for column in ("old_label", "new_label"):
            table[column] = self._classes(table[column])
        return table

    def _classes(self, labels: "pd.Series") -> "pd.Series":
        """Return labels, class indices or names, as categories of the run's classes; unnamed ones come last."""
        import pandas as pd

        names = self.class_names
        if pd.api.types.is_integer_dtype(labels):
            count = int(labels.max()) + 1 if len(labels) else 0
            names = schema.all_class_names(names, count)
            return pd.Series(pd.Categorical.from_codes(labels, names), index=labels.index, name=labels.name)
        given = labels.where(labels.notna() & (labels != ""))
        others = sorted(set(given.dropna()) - set(names))
        return pd.Series(pd.Categorical(given, [*names, *others]), index=labels.index, name=labels.name)


def load_run(run_id: str = "latest", tracking_uri: str | None = None) -> LoadedRun:
    """Return a run to read from; nothing is logged.

    Args:
        run_id: the run's id, or "latest" for the newest run with signals.
        tracking_uri: the MLflow store; None = where MLflow looks.

    Raises:
        ConfigError: `run_id` is not a text.
        TrackingError: there is no such store or run.

    >>> run = datamap.load_run()
    >>> run.class_names, run.task
    (('no', 'yes'), 'classification')
    """
    from datamap.tracking.store import Store

    _check_id(run_id)
    with silence():
        run = Store(tracking_uri).run(run_id)
        run.speak()
        return LoadedRun(run)


def summarize(run_id: str = "latest", *, tracking_uri: str | None = None, **keys: Any) -> "pd.DataFrame":
    """Reduce a run's signals to one row per sample, log summary.tsv into the run, and return it.

    Args:
        run_id: the run's id, or "latest" for the newest run with signals.
        tracking_uri: the MLflow store; None = where MLflow looks.
        **keys: of conf/summarize.yaml, such as burn_in=2.

    Returns:
        DataFrame, as `LoadedRun.summary` returns it.

    Raises:
        DataMapError: a key is out of range, the run has no signals, or they are damaged.

    >>> summary = datamap.summarize(burn_in=2)
    >>> summary.groupby("label", observed=True).size().to_dict()
    {'no': 20, 'yes': 20}
    """
    from datamap.pipeline import summarize as step

    return LoadedRun(step.summarize(_config("summarize", run_id, tracking_uri, keys))).summary()


def diagnose(
    run_id: str = "latest", *, embeddings: Any = None, tracking_uri: str | None = None, **keys: Any
) -> "pd.DataFrame":
    """Rank a run's samples by how likely their label is wrong, log diagnosis.tsv into the run, and return it.

    Args:
        run_id: the run's id, or "latest" for the newest run with signals; a run without a summary is summarized first.
        embeddings: embeddings from a pretrained encoder, (samples, width) numbers in the order of the run's
            samples; for pairs two such arrays. Paths of files are allowed, too. The run keeps them.
        tracking_uri: the MLflow store; None = where MLflow looks.
        **keys: of conf/diagnose.yaml, such as score="aum".

    Returns:
        DataFrame, as `LoadedRun.diagnosis` returns it.

    Raises:
        DataMapError: a key is out of range, the run has no signals, or they are damaged.

    >>> suspects = datamap.diagnose(score="aum").head(5)
    >>> sorted(suspects["id"])
    [0, 8, 16, 24, 32]
    """
    from datamap.pipeline import diagnose as step

    return LoadedRun(step.diagnose(_config("diagnose", run_id, tracking_uri, keys), embeddings)).diagnosis()


def plot(run_id: str = "latest", *, tracking_uri: str | None = None, **keys: Any) -> "Figure":
    """Draw a data map of a run, log it into the run, and return it.

    Args:
        run_id: the run's id, or "latest" for the newest run with signals; a run without a summary is summarized first.
        tracking_uri: the MLflow store; None = where MLflow looks.
        **keys: of conf/plot.yaml: fields of `MapOptions`, name=, explorer= and svg=.

    Returns:
        matplotlib Figure.

    Raises:
        DataMapError: a key is out of range, a filter keeps no sample, or the run has no signals.

    >>> figure = datamap.plot(color="label", name="classes")
    >>> figure.savefig("classes.pdf")
    """
    from datamap.pipeline import plot as step

    return step.plot(_config("plot", run_id, tracking_uri, keys))


def curate(run_id: str = "latest", *, keep: str, tracking_uri: str | None = None, **keys: Any) -> LoadedRun:
    """Make a training file of a run's samples, and log it into a new run below it.

    The file is curated.tsv, or curated.jsonl of a task without classes: the rows of `samples=` that stay.

    Args:
        run_id: the run's id, or "latest" for the newest run with signals.
        keep: the rule: "clean", "relabelled", "corrected", "matching", "ambiguous", "both_ends" or "forgettable".
        tracking_uri: the MLflow store; None = where MLflow looks.
        **keys: of conf/curate.yaml, such as share=0.05 or where="correct_times > 0".

    Returns:
        LoadedRun of the new run.

    Raises:
        DataMapError: a key is out of range, the run has no texts, or the rule keeps nothing.

    >>> curated = datamap.curate(keep="clean", share=0.125)
    >>> path = f"runs:/{curated.run_id}/curated.tsv"
    """
    from datamap.pipeline import curate as step

    return LoadedRun(step.curate(_config("curate", run_id, tracking_uri, {"keep": keep, **keys})))


def compare(run_ids: Iterable[str], *, tracking_uri: str | None = None, **keys: Any) -> "pd.DataFrame":
    """Compare the maps of several runs over the samples that all of them have, and log that as a run of its own.

    Args:
        run_ids: two ids or more; runs that have no summary are summarized first.
        tracking_uri: the MLflow store; None = where MLflow looks.
        **keys: of conf/compare.yaml, such as share=0.1.

    Returns:
        DataFrame, one row per pair: run_a, run_b (names of runs); spearman_avg_probs, spearman_label_var and
        spearman_forgetting_times (rank correlations, −1 to 1); jaccard_hardest (Jaccard 1912, 0 to 1).

    Raises:
        ConfigError: fewer than two runs, or a key out of range.
        SummaryError: the runs have no sample in common.
        TrackingError: there is no such store or run, or a run has no signals.

    >>> agreement = datamap.compare(["latest", other.run_id], share=0.125)
    >>> agreement["jaccard_hardest"].tolist()
    [1.0]
    """
    from datamap.pipeline import compare as step

    several = isinstance(run_ids, Iterable) and not isinstance(run_ids, str | bytes | Mapping)
    ids = list(run_ids) if several else []
    if not all(isinstance(run_id, str) for run_id in ids) or len(set(ids)) < 2:
        raise ConfigError(f"run_ids={shortened(ids or run_ids)}: give the ids of two runs or more")
    return step.compare(defaults("compare", runs=ids, **_tracking(tracking_uri), **keys)).agreement


def _config(command: str, run_id: str, tracking_uri: str | None, keys: Mapping[str, Any]) -> Any:
    _check_id(run_id)
    return defaults(command, run_id=run_id, **_tracking(tracking_uri), **keys)


def _tracking(uri: str | None) -> dict[str, Any]:
    return {"tracking.uri": uri} if uri else {}


def _check_id(run_id: object) -> None:
    if not isinstance(run_id, str) or not run_id.strip():
        raise ConfigError(f'run_id={shortened(run_id)}: give a run\'s id, or "latest"')


# ---------------------------------------------------------------------- former names, with class indices as labels


def summary(run_id: str = "latest") -> "pd.DataFrame":
    """Return the summary of a run, summarized first if need be. Deprecated: `load_run(run_id).summary()`."""
    from datamap.pipeline.summarize import ensure_summary

    _warn("summary", "summarize(run_id), or load_run(run_id).summary()")
    run = load_run(run_id)._run
    return ensure_summary(run, defaults("plot", run_id=run.run_id), None)[0]


def diagnosis(run_id: str = "latest") -> "pd.DataFrame":
    """Return the diagnosis of a run, diagnosed first if need be. Deprecated: `load_run(run_id).diagnosis()`."""
    from datamap.pipeline.diagnose import ensure_diagnosis
    from datamap.pipeline.stored_diagnosis import frame_of

    _warn("diagnosis", "diagnose(run_id), or load_run(run_id).diagnosis()")
    run = load_run(run_id)._run
    ensure_diagnosis(run, defaults("diagnose", run_id=run.run_id))
    return frame_of(run.artifacts.read(schema.DIAGNOSIS_FILE))


def explore(run_id: str = "latest", *, height: int = 720, lang: str = "auto") -> ExplorerPage:
    """Return the explorer of a run, summarized first if need be. Deprecated: `load_run(run_id).explorer()`."""
    from datamap.pipeline.summarize import ensure_summary

    _warn("explore", "load_run(run_id).explorer()")
    loaded = load_run(run_id)
    ensure_summary(loaded._run, defaults("plot", run_id=loaded.run_id), {"id"})
    return loaded.explorer(height=height, lang=lang)


def _warn(name: str, instead: str) -> None:
    warnings.warn(f"datamap.{name} is deprecated; use datamap.{instead}", DeprecationWarning, stacklevel=3)
