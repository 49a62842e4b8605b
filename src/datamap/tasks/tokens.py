"""Record tokens (named entities, parts of speech): each token that has a tag is right or wrong by itself."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from datamap.errors import SignalError
from datamap.schema import Task
from datamap.signals import compute
from datamap.signals.arrays import as_array, refuse_other_than_numbers
from datamap.signals.ragged_sequences import Ragged, as_ragged
from datamap.tasks import units
from datamap.tasks.task import IGNORED, Definition, further_signals


def table(
    ids: Any, where: str, correct_above: float, outputs: Mapping[str, Any], further: Mapping[str, Any]
) -> pa.Table | None:
    """Return the signals of a batch (`compute.signal_table`), one row per token that has a tag; None if it is empty.

    A token with the label −100 has no tag: padding, special tokens, and all pieces of a word but the first. The id of a
    token is `<sample>:<position>`, where the position counts the sample's tokens that have a tag, from 0: with one
    such piece per word, it is the word's place in the text.

    Raises:
        SignalError: sequences do not fit together, or a label or a score is invalid.
    """
    names = compute.flat_ids(ids, where)
    if not names.size:
        return None
    compute.id_array(names, where)  # refuses what is no id
    if "labels" not in outputs or ("logits" in outputs) == ("probs" in outputs):
        raise SignalError(f"{where}: give labels= and either logits= or probs=, one sequence per sample")
    labels = as_ragged(outputs["labels"], "labels", where, len(names))
    kept = labels.values != IGNORED
    if not kept.any():
        return None
    name = "logits" if "logits" in outputs else "probs"
    scores = _scores(outputs[name], name, names, labels, kept, where)
    counts = np.bincount(labels.rows[kept], minlength=len(names))
    positions = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    tokens = units.ids_of(np.repeat(names, counts), positions)
    given = {
        key: _kept(outputs[key], key, names, labels, kept, where)
        for key in ("noisy_labels",)
        if key in outputs
    }
    found = compute.signal_table(tokens, labels.values[kept], **{name: scores}, **given, where=where)
    own = {key: _kept(values, key, names, labels, kept, where) for key, values in further.items()}
    for key, values in further_signals(tokens, where, own, tuple(compute.DERIVED)).items():
        found = found.append_column(key, pa.array(values))
    return found


def _kept(
    values: Any, name: str, names: np.ndarray, labels: Ragged, kept: np.ndarray, where: str
) -> np.ndarray:
    """Return the numbers of the tokens that have a tag; each sequence is as long as that of the labels."""
    found = as_ragged(values, name, where, len(names))
    _refuse_lengths(found.lengths, name, names, labels, where)
    return found.values[kept]


def _refuse_lengths(lengths: np.ndarray, name: str, names: np.ndarray, labels: Ragged, where: str) -> None:
    wrong = lengths != labels.lengths
    if wrong.any():
        row = int(wrong.argmax())
        raise SignalError(
            f"{where}: {name} has {lengths[row]} tokens, labels {labels.lengths[row]}, id {names[row]}; give one for "
            "each token (label -100: no tag)"
        )


def _scores(
    values: Any, name: str, names: np.ndarray, labels: Ragged, kept: np.ndarray, where: str
) -> np.ndarray:
    """Return the scores (tokens that have a tag, classes) of an array (samples, length, classes), or of a list."""
    if isinstance(values, list | tuple) or str(getattr(values, "dtype", None)) == "object":
        parts = [as_array(part, name) for part in values]
        for part in parts:
            refuse_other_than_numbers(part, name, where)
    else:
        whole = as_array(values, name)
        refuse_other_than_numbers(whole, name, where)
        parts = list(whole)
    odd = next((place for place, part in enumerate(parts) if part.ndim != 2), None)
    if odd is not None:
        raise SignalError(
            f"{where}: {name} of sample {odd} of the batch has shape {parts[odd].shape}; give (tokens, classes)"
        )
    if len(parts) != len(names):
        raise SignalError(f"{where}: {name} has {len(parts)} sequences for {len(names)} ids")
    _refuse_lengths(np.array([len(part) for part in parts], np.int64), name, names, labels, where)
    widths = sorted({part.shape[1] for part in parts})
    if len(widths) > 1:
        raise SignalError(f"{where}: {name} has sequences of {widths[0]} and of {widths[1]} classes")
    ends = np.cumsum(labels.lengths)
    return np.concatenate([part[kept[end - len(part) : end]] for part, end in zip(parts, ends, strict=True)])


DEFINITION = Definition(
    task=Task.TOKENS,
    keywords=("labels", "logits", "probs"),
    table=table,
    correct="the tag with the largest probability is the token's given tag",
    has_classes=True,
    unit="token",
)
