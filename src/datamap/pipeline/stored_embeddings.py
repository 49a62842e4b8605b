"""Read the embeddings of a run's samples, and log those that the user or an encoder provides."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from datamap import encoders, schema
from datamap.errors import ConfigError, DataMapError, SignalError, first_few, raised_as
from datamap.log import say
from datamap.pipeline.run_access import definition_of
from datamap.signals import embeddings
from datamap.signals.embeddings import Embeddings
from datamap.summaries import tsv
from datamap.tracking.run import Run
from datamap.tracking.store import opened
from datamap.translations import Amount


def stored_embeddings(run: Run, ids: pa.Array) -> Embeddings | None:
    """Return the embeddings of samples, in the order of `ids`; None where the run has none.

    Raises:
        SignalError: they are damaged, or a sample has none.
        TrackingError: the file is not what was logged.
    """
    if not run.has(schema.EMBEDDINGS_FILE):
        return None
    with run.artifacts.local(schema.EMBEDDINGS_FILE) as file:
        return embeddings.read(file).ordered(ids, f"run {run.run_id}: {schema.EMBEDDINGS_FILE}")


def shown_embeddings(run: Run, ids: pa.Array, note: str) -> Embeddings | None:
    """Return the embeddings of a run's rows for a page; None where it has no readable ones, which `note` reports.

    Units have none: labels of one text would all be in one place.
    """
    if definition_of(run).unit:
        return None
    try:
        return stored_embeddings(run, ids)
    except DataMapError as error:
        say(note, error=error)
        return None


def log_embeddings(run: Run, ids: pa.Array, given: Any = None, encoder: str | None = None) -> None:
    """Log the embeddings of a run's samples, in place of those that it has.

    Args:
        run: run with a summary.
        ids: the samples of the summary.
        given: path of a .npy or .parquet file, or an array (N, D); two of them for pairs. Arrays are in the order of
            data/samples.tsv, or of the summary where the run has no texts; Parquet files are joined by id.
        encoder: folder or name of the model that makes them of the run's texts, if none are given.

    Raises:
        ConfigError: both or neither are given, or a path is neither .npy nor .parquet.
        SignalError: the embeddings are damaged, or do not fit the run's samples.
        ModelError: the encoder cannot be loaded.
    """
    if given is not None and encoder is not None:
        raise ConfigError("give embeddings= or encoder=, not both")
    content = run.artifacts.find(schema.SAMPLES_FILE)
    if given is None:
        found = _encoded(run, ids, content, str(encoder))
    else:
        texts = ids if content is None else tsv.text_table(content, schema.SAMPLES_FILE, ["id"])["id"]
        found = _given(run, texts, given).ordered(ids, "embeddings=")
    run.log_bytes(embeddings.encode(found), schema.EMBEDDINGS_FILE)
    say(
        "{file}: {samples}, {width} numbers each",
        file=schema.EMBEDDINGS_FILE,
        samples=Amount(len(ids), "sample"),
        width=found.first.shape[1],
    )


def _encoded(run, ids, content, encoder):
    """Return embeddings of the run's texts; equal texts are encoded once."""
    if content is None:
        raise ConfigError(
            f"encoder={encoder}: run {run.run_id} has no texts to encode; give embeddings=<file>"
        )
    columns = list(tsv.texts_of(content, ids).values())
    distinct = list(dict.fromkeys(text for column in columns for text in column))
    say("encoding {texts} with {encoder}", texts=Amount(len(distinct), "text"), encoder=encoder)
    vectors, row = encoders.encode(encoder, distinct), {text: row for row, text in enumerate(distinct)}
    parts = [vectors[[row[text] for text in column]] for column in columns]
    return embeddings.checked_parts(ids, parts, f"encoder={encoder}")


def _given(run, ids, given):
    """Return embeddings from files or arrays."""
    paths = given if isinstance(given, list | tuple) else [given]
    if not all(isinstance(path, str | Path) for path in paths):
        return embeddings.checked(ids, given)
    if not 1 <= len(paths) <= 2:
        raise ConfigError(f"embeddings={first_few(paths)}: give one file, or two for pairs")
    found = [_of_file(run, ids, str(path)) for path in paths]
    if len(found) == 1:
        return found[0]
    first, second = found[0], found[1].ordered(found[0].ids, f"embeddings={paths[1]}")
    if first.second is not None or second.second is not None:
        raise SignalError(f"embeddings={first_few(paths)}: a file of two has the column {schema.EMBEDDING_B}")
    return embeddings.checked(first.ids, [first.first, second.first])


def _of_file(run, ids, path):
    where, kind = f"embeddings={path}", Path(path).suffix.lower()
    if kind not in (".npy", ".parquet"):
        raise ConfigError(f"{where}: give a .npy or .parquet file")
    with opened(path, run.tracking_uri, where) as file, raised_as(SignalError, where):
        return (
            embeddings.read(file, where)
            if kind == ".parquet"
            else embeddings.checked(ids, _array(file, where), where)
        )


def _array(file, where):
    with raised_as(SignalError, f"{where} is not a readable .npy file", ValueError, EOFError, MemoryError):
        # A header may claim any size; a file that is mapped has what it claims.
        return np.load(file, mmap_mode="r", allow_pickle=False)
