"""Write the chosen samples as a training file: labeled texts as TSV, examples without labels as they were given."""

import json
import shlex
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from datamap import schema
from datamap.config import CurateConfig
from datamap.data import dataset
from datamap.data.advice import without_keys
from datamap.digests import digest_of
from datamap.errors import ConfigError, TrackingError, first_few, raised_as
from datamap.labels.curation import Choice
from datamap.log import say
from datamap.pipeline import next_training
from datamap.signals import align
from datamap.summaries import tsv
from datamap.tracking import addresses
from datamap.tracking.run import Run
from datamap.translations import Amount


class CuratedFile(NamedTuple):
    """Hold a training file that is made of a run's samples.

    Attributes:
        name: the artifact.
        content: the file's bytes.
        frame: the samples, as MLflow describes a dataset.
        digest: digest of what training sees.
        counts: {"samples": …, "samples_before": …, "relabelled": …}.
        command: returns the command to run next, of the file's address.
    """

    name: str
    content: bytes
    frame: pd.DataFrame
    digest: str
    counts: dict[str, int]
    command: Callable[[str], str]


def labeled_file(
    source: Run, config: CurateConfig, samples: pd.DataFrame, choice: Choice, texts: bytes, gone: list[str]
) -> CuratedFile:
    """Return the file of labeled texts, which `datamap train` reads.

    Args:
        source: run that the samples are of.
        config: keys of conf/curate.yaml.
        samples: columns id, label and s_label of all samples.
        choice: the samples that are kept, and their labels.
        texts: bytes of the run's `data/samples.tsv`.
        gone: names of the classes that the file no longer has.

    Raises:
        DataError: the file could not be trained on.
    """
    found = {name: column.to_pandas() for name, column in tsv.text_columns(texts, samples["id"]).items()}
    lines = tsv.lines(_labeled_frame(samples, choice, found))
    del found  # reading the file needs the memory
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, schema.CURATED_FILE)
        file.write_bytes(b"".join(lines))
        del lines
        # Read the file as training will read it, so that one that cannot be trained on is never logged.
        with without_keys():
            curated = dataset.load_samples(file, {}, name=schema.CURATED_FILE)
        content = file.read_bytes()
    changed = choice.kept & (choice.labels != samples["label"].to_numpy(object))
    counts = _counts(samples, choice.kept) | {"relabelled": int(changed.sum())}
    say(
        "{file}: {samples:,} of {samples_before:,} samples, {relabelled:,} relabeled, digest {digest}",
        file=schema.CURATED_FILE,
        digest=curated.digest,
        **counts,
    )

    def command(address: str) -> str:
        data = {"data": "file", "data.path": address}
        data |= dict(option.split("=", 1) for option in addresses.options(source.tracking_uri))
        if config.tracking.experiment:
            data["tracking.experiment"] = config.tracking.experiment
        return next_training.command(source, data, gone)

    return CuratedFile(schema.CURATED_FILE, content, curated.frame(), curated.digest, counts, command)


def _labeled_frame(samples, choice, texts):
    """Return the rows of the curated file: id, texts, label, and s_label where it is still known."""
    columns = {"id": samples["id"], **texts, "label": choice.labels}
    changed = choice.labels != samples["label"].to_numpy(object)
    planted = (samples["s_label"] == schema.DIRTY).to_numpy()
    if not changed.any():
        columns["s_label"] = samples["s_label"]
    elif planted.any() and samples["label"].nunique() == 2:
        # With two classes, relabeling a sample that was planted wrong makes it right, and one that was right, wrong.
        columns["s_label"] = np.where(
            changed, np.where(planted, schema.NORMAL, schema.DIRTY), samples["s_label"]
        )
    elif planted.any():
        say("note: with several classes it is unknown which relabeled samples are right: s_label is left out")
    return pd.DataFrame(columns)[choice.kept]


def _counts(samples, kept):
    return {"samples_before": len(samples), "samples": int(kept.sum())}


def rows_file(source: Run, samples: pd.DataFrame, kept: np.ndarray, rows: bytes, levers: str) -> CuratedFile:
    """Return the rows of the training file that are kept, byte for byte as the run has them.

    Args:
        source: run that the samples are of.
        samples: column id of all samples.
        kept: bool (samples,).
        rows: bytes of the run's `data/samples.jsonl`, in the order of its `data/samples.tsv`.
        levers: keys that decide how many samples are kept, for messages.

    Raises:
        ConfigError: no sample is kept.
        TrackingError: the run's files of samples do not fit together.
    """
    if not kept.any():
        raise ConfigError(f"the rule leaves no sample: change {levers}")
    lines = rows.splitlines(keepends=True)
    table = tsv.text_table(source.artifacts.read(schema.SAMPLES_FILE), schema.SAMPLES_FILE, ["id"])
    places = align.rows(samples["id"].astype(str)[kept].tolist(), table["id"])
    if len(lines) != table.num_rows or (places < 0).any():
        raise TrackingError(
            f"run {source.run_id}: {schema.ROWS_FILE} and {schema.SAMPLES_FILE} do not hold the same samples"
        )
    with raised_as(TrackingError, f"run {source.run_id}: {schema.ROWS_FILE} is damaged", ValueError):
        columns = list(json.loads(lines[0]))
    content = b"".join(lines[place] for place in np.sort(places))
    say_unseen(len(lines) - len(samples))
    digest = digest_of(content)[:16]
    counts = _counts(samples, kept) | {"relabelled": 0}
    say(
        "{file}: {samples:,} of {samples_before:,} samples, in the columns {columns}, digest {digest}",
        file=schema.CURATED_ROWS_FILE,
        columns=first_few(columns, 10),
        digest=digest,
        **counts,
    )
    frame = pd.DataFrame({"id": samples["id"][kept]})
    return CuratedFile(
        schema.CURATED_ROWS_FILE, content, frame, digest, counts, lambda address: download(source, address)
    )


def say_unseen(rows: int) -> None:
    """Say how many rows of a training file are left out of the new one, as the model never saw them."""
    if rows > 0:
        say("note: leaving out {rows} of the training file that have no signals", rows=Amount(rows, "row"))


def download(source: Run, address: str) -> str:
    """Return the command that fetches a file of rows for the trainer that the user has."""
    given = [f"MLFLOW_TRACKING_URI={shlex.quote(source.tracking_uri)}"]
    store = given if addresses.options(source.tracking_uri) else []
    return " ".join([*store, "mlflow artifacts download --artifact-uri", address, "--dst-path ."])
