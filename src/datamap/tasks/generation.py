"""Record generation (SFT): a sample is right or wrong by its target tokens, those of the completion."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from datamap.errors import SignalError
from datamap.schema import SUM_TOLERANCE, Task
from datamap.signals import compute
from datamap.signals.arrays import as_array
from datamap.signals.ragged_sequences import Ragged, as_ragged
from datamap.tasks.task import IGNORED, MAX_NUMBER, Definition, further_signals, truths, unlabeled_table

MAX_LOGITS = 1 << 21  # logits that are converted at once; four arrays of them take 34 MB as float32
SIGNALS = {
    "token_prob": "mean probability of the target tokens",
    "token_accuracy": "share of target tokens that are the most probable ones",
    "tokens": "number of target tokens",
}


def table(
    ids: Any, where: str, correct_above: float, outputs: Mapping[str, Any], further: Mapping[str, Any]
) -> pa.Table | None:
    """Return the signals of a batch; None if it is empty.

    With p_t the probability of target token t, the loss L is the mean of −ln p_t, and the confidence exp(−L), the
    inverse perplexity (Ince et al. 2023). A sample is right if more than `correct_above` of its target tokens
    are the most probable ones. The margin is the mean of ln p_t − max other ln p, where the batch tells it.

    Raises:
        SignalError: sequences do not fit together, a sample has no target token, or a value is impossible.
    """
    names = compute.flat_ids(ids, where)
    if not names.size:
        return None
    tokens = (
        _from_logits(names, where, outputs) if "logits" in outputs else _from_log_probs(names, where, outputs)
    )
    log_probs, right = tokens["token_logprobs"], tokens["token_correct"]
    per_token = names[log_probs.rows]
    wrong = ~(np.abs(log_probs.values) <= MAX_NUMBER)
    compute.refuse(wrong, per_token, f"{where}: a token's log-probability is not finite")
    above = log_probs.values > SUM_TOLERANCE
    compute.refuse(above, per_token, f"{where}: a token's log-probability is above 0; give ln p, not p")
    log_probs = log_probs._replace(values=np.minimum(log_probs.values, 0))  # rounding may give 1e-7
    loss = 0.0 - _mean(log_probs)
    accuracy = _mean(right)
    columns = {"correct": accuracy > correct_above, "loss": loss.astype(np.float32)}
    if "token_margins" in tokens:
        margins = _mean(tokens["token_margins"])
        wrong = ~(np.abs(margins) <= MAX_NUMBER)
        compute.refuse(wrong, names, f"{where}: a token's margin is not finite")
        columns["margin"] = margins.astype(np.float32)
    columns |= {
        "label_probs": np.exp(-loss).astype(np.float32),
        "token_prob": _mean(log_probs._replace(values=np.exp(log_probs.values))).astype(np.float32),
        "token_accuracy": accuracy.astype(np.float32),
        "tokens": log_probs.lengths,
        **further_signals(names, where, further, tuple(SIGNALS)),
    }
    return unlabeled_table(names, where, columns, outputs.get("noisy_labels"))


def _mean(tokens: Ragged) -> np.ndarray:
    """Return the mean over each sample's tokens, float64 (samples,); no sample is without tokens."""
    starts = np.cumsum(tokens.lengths) - tokens.lengths
    return np.add.reduceat(tokens.values.astype(np.float64), starts) / tokens.lengths


def _from_log_probs(names: np.ndarray, where: str, outputs: Mapping[str, Any]) -> dict[str, Ragged]:
    """Return the numbers of the target tokens alone, as float64."""
    if "token_logprobs" not in outputs or "token_correct" not in outputs:
        raise SignalError(
            f"{where}: give token_logprobs= and token_correct=, one sequence per sample, or logits= and labels="
        )
    if "labels" in outputs:
        raise SignalError(
            f"{where}: labels= goes with logits=; with token_logprobs= give mask=labels != -100"
        )
    given = _sequences(names, where, outputs, "token_logprobs", "token_correct", "token_margins", "mask")
    kept = _mask(names, where, given)
    found = {name: _targets(names, where, one, kept) for name, one in given.items()}
    right = found["token_correct"]
    truths(names[right.rows], right.values, "token_correct", where)
    return found


def _sequences(names: np.ndarray, where: str, outputs: Mapping[str, Any], *keys: str) -> dict[str, Ragged]:
    """Return those outputs that are given as sequences, as long for each sample as the first of them."""
    given = {key: as_ragged(outputs[key], key, where, len(names)) for key in keys if key in outputs}
    lengths = given[keys[0]].lengths
    for key, one in given.items():
        wrong = lengths != one.lengths
        if wrong.any():
            row = int(wrong.argmax())
            raise SignalError(
                f"{where}: {key} has {one.lengths[row]} tokens, {keys[0]} {lengths[row]}, id {names[row]}; give one "
                "for each token"
            )
    return given


def _mask(names: np.ndarray, where: str, given: dict[str, Ragged]) -> np.ndarray | None:
    """Take the mask out of the sequences, and return which tokens are kept; None = all."""
    mask = given.pop("mask", None)
    return None if mask is None else truths(names[mask.rows], mask.values, "mask", where)


def _targets(names: np.ndarray, where: str, tokens: Ragged, kept: np.ndarray | None) -> Ragged:
    """Return the tokens that are kept; refuse a sample that has none."""
    if kept is not None:
        counts = np.bincount(tokens.rows[kept], minlength=len(tokens.lengths))
        tokens = Ragged(tokens.values[kept], counts)
    none = tokens.lengths == 0
    compute.refuse(none, names, f"{where}: no target token; leave the sample out of the batch")
    return tokens._replace(values=tokens.values.astype(np.float64))


def _from_logits(names: np.ndarray, where: str, outputs: Mapping[str, Any]) -> dict[str, Ragged]:
    """Compute the numbers of the target tokens from logits, `MAX_LOGITS` at a time."""
    if "labels" not in outputs or any(name.startswith("token_") for name in outputs):
        raise SignalError(f"{where}: with logits= give labels= and optionally mask=, but no token_…=")
    given, logits = _sequences(names, where, outputs, "labels", "mask"), outputs["logits"]
    masked = _mask(names, where, given)
    labels = given["labels"]
    kept = (labels.values != IGNORED) & (True if masked is None else masked)
    counts = _targets(names, where, labels, kept).lengths
    sized = hasattr(logits, "__len__") and getattr(
        logits, "shape", True
    )  # an array of no dimension has no length
    if not sized or len(logits) != len(names):
        raise SignalError(
            f"{where}: logits= is one array (tokens, vocabulary) per sample, for {len(names)} ids"
        )
    ends = np.cumsum(labels.lengths)
    parts = [
        part
        for name, end, length, of_sample in zip(names, ends, labels.lengths, logits, strict=True)
        for part in _of_sample(
            f"{where}: logits of id {name}",
            of_sample,
            labels.values[end - length : end],
            kept[end - length : end],
        )
    ]
    columns = zip(("token_logprobs", "token_correct", "token_margins"), zip(*parts, strict=True), strict=True)
    return {name: Ragged(np.concatenate(values), counts) for name, values in columns}


def _of_sample(where: str, logits: Any, labels: np.ndarray, kept: np.ndarray) -> Iterator[tuple]:
    """Yield (ln p, is the most probable, margin) of a sample's target tokens, some tokens at a time."""
    shape = tuple(getattr(logits, "shape", ())) or as_array(logits, "logits").shape
    if len(shape) != 2 or shape[0] != len(labels) or shape[1] < 2:
        raise SignalError(
            f"{where} have shape {tuple(map(int, shape))}, for {len(labels)} labels; logits[t] predicts labels[t], so "
            "shift both for a causal model: logits[:, :-1], labels[:, 1:]"
        )
    wrong = kept & ((labels < 0) | (labels >= shape[1]) | (labels % 1 != 0))
    if wrong.any():
        raise SignalError(
            f"{where}: label {labels[wrong][0]} is not a token in 0..{shape[1] - 1} ({IGNORED} = ignored)"
        )
    step = max(1, MAX_LOGITS // int(shape[1]))
    targets = np.flatnonzero(kept)
    for start in range(int(targets[0]), int(targets[-1]) + 1, step):
        rows = targets[(targets >= start) & (targets < start + step)]
        if len(rows):
            scores = as_array(logits[start : start + step], "logits")[rows - start]
            if scores.dtype.kind != "f" or not np.isfinite(scores).all():
                raise SignalError(f"{where} are not finite floats (NaN or infinite)")
            yield token_signals(scores, labels[rows].astype(np.int64))


def token_signals(logits: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return ln p of each token's label, whether it is the most probable token, and its margin.

    Args:
        logits: float (tokens, vocabulary), finite.
        labels: int64 (tokens,).

    >>> token_signals(np.log([[0.5, 0.25, 0.25]]), np.array([1]))[0].round(3)
    array([-1.386])
    """
    given = compute.label_values(logits, labels).astype(np.float64)
    top = logits.max(axis=1, keepdims=True)
    with np.errstate(over="ignore"):  # a logit far below the largest one counts as 0
        total = np.exp(logits - top).sum(axis=1, dtype=np.float64)
        log_probs = np.maximum(given - top[:, 0] - np.log(total), compute.MIN_LOG_PROB)
    right = logits.argmax(axis=1) == labels
    others = logits.copy()
    np.put_along_axis(others, labels[:, None], -np.inf, axis=1)
    return np.minimum(log_probs, 0), right, given - others.max(axis=1)


DEFINITION = Definition(
    task=Task.GENERATION,
    keywords=("token_logprobs", "token_correct", "token_margins", "mask", "logits", "labels"),
    table=table,
    correct="more than correct_above of the target tokens are the most probable ones",
    signals=SIGNALS,
)
