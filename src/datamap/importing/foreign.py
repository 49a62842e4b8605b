"""Turn other programs' files of signals into observations.

tutorial      the original's output_data.json: each line a Python dictionary, appended at each observation
cartography   allenai/cartography's training_dynamics/dynamics_epoch_0.jsonl, …: logits
"""

import contextlib
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datamap.errors import SignalError, first_few
from datamap.importing import records
from datamap.importing.records import at
from datamap.signals import contract
from datamap.signals.compute import log_of, signal_table
from datamap.translations import translate

DYNAMICS_DIR = "training_dynamics"
DYNAMICS = re.compile(r"dynamics_epoch_(0|[1-9][0-9]{0,8})\.jsonl")

Note = Callable[[str], None]


class Observation(NamedTuple):
    """Hold the signals of all samples at one point of training, and their origin.

    Attributes:
        number: number of the observation.
        table: arrow table (columns: `schema.SIGNAL_COLUMNS`).
        path: the file; a folder if `lines` is None.
        lines: int (samples,), the line of each sample in the file.
        last: True if the file ends with this observation, which may then be incomplete.
        unit: "epoch" or "step".
    """

    number: int
    table: pa.Table
    path: Path
    lines: np.ndarray | None = None
    last: bool = False
    unit: str = "epoch"

    def where(self, row: int) -> str:
        """Return the place of a sample's record, for messages."""
        if self.lines is None:
            return f"{self.path}, observation {self.number}"
        return at(self.path, self.lines[row])


def read_tutorial(files: list[Path], note: Note) -> Iterator[Observation]:
    """Yield the observations of an output_data.json: a new one begins when an id comes again.

    Args:
        files: [its path].
        note: called with a line of text if the last line is cut off and left out.

    Raises:
        SignalError: a record is malformed or contradicts itself; the message names its line.
    """
    (path,) = files
    cut = records.is_cut_off(path)
    number = 1
    parts: list[tuple[pa.Table, np.ndarray]] = []
    seen: set[int | str] = set()
    for raw, lines in records.read(path, _tutorial_kinds, python=True, cut=cut):
        table, start = _tutorial_table(raw, path, lines), 0
        for row, key in enumerate(table["id"].to_pylist()):
            if key in seen:
                parts.append((table.slice(start, row - start), lines[start:row]))
                yield _joined(number, path, parts)
                number, parts, seen, start = number + 1, [], set(), row
            seen.add(key)
        parts.append((table.slice(start), lines[start:]))
    if cut and number == 1:
        raise SignalError(f"{path}: its last line is cut off, and no observation before it is complete")
    if cut:
        note(translate("{path}: ignoring its last line, which is cut off (was a run killed?)", path=path))
    yield _joined(number, path, parts)._replace(last=True)


def _joined(number: int, path: Path, parts: list[tuple[pa.Table, np.ndarray]]) -> Observation:
    tables, lines = zip(*parts, strict=True)
    return Observation(number, pa.concat_tables(tables), path, np.concatenate(lines))


def _tutorial_kinds(first: dict) -> records.Kinds:
    """Return {key: arrow type} by the first record; further numeric keys are kept."""
    kinds = {
        "id": records.id_type(first.get("id")),
        "label": pa.int64(),
        "pred_label": pa.int64(),
        "noisy_label": pa.int64(),
        "correct": pa.bool_() if isinstance(first.get("correct"), bool) else pa.string(),
        "loss": pa.float64(),
        "probs": pa.list_(pa.float64()),
        "label_probs": pa.float64(),
    }
    for key in {"pred_label", "noisy_label", "loss"} - set(first):  # the original's reducer needs none
        del kinds[key]
    further = {key: pa.float64() for key, value in first.items() if type(value) in (int, float)}
    return {**further, **kinds}


def _tutorial_table(raw: pa.Table, path: Path, lines: np.ndarray) -> pa.Table:
    """Return the signals of records; recorded numbers that agree with `probs` are kept to the last digit."""
    given = {name: raw[name].combine_chunks() for name in raw.column_names}

    def refuse(wrong: np.ndarray, name: str, problem: str) -> None:
        if wrong.any():
            row = wrong.argmax()
            what = f"{name} {given[name][row]} {problem}, id {given['id'][row]}"
            raise SignalError(f"{at(path, lines[row])}: {what}")

    made = _signals(given["id"], given["label"], path, lines, probs=_matrix(given["probs"], path, lines))
    for name, column in given.items():
        if pa.types.is_floating(column.type):
            refuse(~np.isfinite(column.to_numpy()), name, "is not a finite number")
    recorded = given["label_probs"].to_numpy()
    refuse(
        abs(made["label_probs"].to_numpy() - recorded) > contract.TOLERANCE,
        "label_probs",
        "is not probs[label]",
    )
    if pa.types.is_string(given["correct"].type):
        words = pc.utf8_lower(given["correct"])
        known = pc.is_in(words, value_set=pa.array(["true", "false"]))
        refuse(~_bools(known), "correct", "is not true or false")
        given["correct"] = pc.equal(words, "true")
    columns = {**{name: made[name].combine_chunks() for name in made.column_names}, **given}
    right = _bools(pc.equal(columns["pred_label"], columns["label"]))
    refuse(right != _bools(given["correct"]), "correct", "does not say whether pred_label is label")
    columns["label_probs"] = pa.array(np.clip(recorded, 0, 1))  # a float32 softmax may be a little above 1
    table = pa.table(columns)
    with _at_line(path, lines):
        contract.refuse_values(table, str(path))
    return table


def _bools(column: pa.Array) -> np.ndarray:
    return column.to_numpy(zero_copy_only=False)


def read_cartography(files: list[Path], note: Note) -> Iterator[Observation]:
    """Yield the observations of training_dynamics/: epoch N, counted from 0, is observation N + 1.

    Args:
        files: paths of all dynamics_epoch_<N>.jsonl.
        note: not used, as nothing is left out.

    Raises:
        SignalError: an epoch is missing, or a record is malformed; the message names file and line.
    """
    paths = {int(path.stem.rpartition("_")[2]): path for path in files}
    lost = next((epoch for epoch in range(len(paths)) if epoch not in paths), None)
    if lost is not None:
        there = first_few(path.name for _, path in sorted(paths.items()))
        raise SignalError(f"{files[0].parent}: dynamics_epoch_{lost}.jsonl is missing (found: {there})")
    for epoch, path in sorted(paths.items()):
        key, parts = f"logits_epoch_{epoch}", []
        for raw, lines in records.read(path, partial(_dynamics_kinds, key=key)):
            guid, logits, gold = (raw[name].combine_chunks() for name in ("guid", key, "gold"))
            logits = _matrix(logits, path, lines)
            parts.append((_signals(guid, gold, path, lines, logits=logits), lines))
        yield _joined(epoch + 1, path, parts)


def _dynamics_kinds(first: dict, key: str) -> records.Kinds:
    return {"guid": records.id_type(first.get("guid")), key: pa.list_(pa.float64()), "gold": pa.int64()}


def _matrix(column: pa.ListArray, path: Path, lines: np.ndarray) -> np.ndarray:
    """Convert an arrow column of lists to an array (samples, classes)."""
    lengths = column.value_lengths().to_numpy()
    wrong = (lengths != lengths[0]) | (lengths < 2)
    if wrong.any():
        row, least = wrong.argmax(), max(lengths[0], 2)
        raise SignalError(f"{at(path, lines[row])}: numbers for {lengths[row]} classes instead of {least}")
    return column.flatten().to_numpy(zero_copy_only=False).reshape(len(column), -1)


def _signals(
    ids: pa.Array, labels: pa.Array, path: Path, lines: np.ndarray, **scores: np.ndarray
) -> pa.Table:
    """Call `signal_table`; its errors name the line of the first invalid record."""
    with _at_line(path, lines):
        return signal_table(ids.to_numpy(zero_copy_only=False), labels.to_numpy(), where=str(path), **scores)


@contextlib.contextmanager
def _at_line(path: Path, lines: np.ndarray) -> Iterator[None]:
    """Add the line of the first invalid record to errors that name the file."""
    try:
        yield
    except SignalError as error:
        if error.row is None:
            raise
        raise SignalError(at(path, lines[error.row]) + str(error).removeprefix(str(path))) from error


def dynamics(table: pa.Table, epoch: int) -> pa.Table:
    """Convert an observation's signals to the records of `dynamics_epoch_<epoch>.jsonl`, an arrow table.

    The records have ln(probs) as logits, since logits are not recorded. They differ from the model's own by a constant
    per sample, which softmax removes.

    Args:
        table: arrow table with `id`, `label` and `probs`.
        epoch: number of the epoch, from 0.
    """
    flat = pa.array(log_of(pc.list_flatten(table["probs"]).to_numpy()))
    ends = np.cumsum(pc.list_value_length(table["probs"]).to_numpy())
    logits = pa.ListArray.from_arrays(pa.array(np.concatenate([[0], ends]), pa.int32()), flat)
    return pa.table({"guid": table["id"], f"logits_epoch_{epoch}": logits, "gold": table["label"]})
