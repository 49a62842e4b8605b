"""Hold the samples of a training without classes, or of several units each: as they were given, and as texts."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from datamap.errors import DataError, cut, first_few, reason, shortened
from datamap.log import say
from datamap.recording import arguments
from datamap.recording.arguments import SAMPLES
from datamap.schema import Task
from datamap.tasks import rows as unit_rows
from datamap.tasks.rows import Given

# Characters of a prompt or completion that are shown; the row as it was given keeps them all.
MAX_TEXT = 100_000
# Columns of the prompt and of the completion, as trainers name them; None: the example has one text.
PAIRS = (
    ("text_a", "text_b"),
    ("prompt", "completion"),
    ("prompt", "response"),
    ("prompt", "chosen"),
    ("instruction", "output"),
    ("question", "answer"),
    ("text_a", None),
    ("text", None),
    ("prompt", None),
)
CHATS = ("messages", "conversations")


class Examples(NamedTuple):
    """Hold a table (id, text_a, text_b, s_label) for people, and the rows as they were given, as JSON lines.

    `given` is what the rows say of their units, where samples have several.
    """

    table: pd.DataFrame
    lines: bytes
    given: Given | None = None


def examples_of(
    samples: Any, where: str = SAMPLES, unit_task: Task | None = None, names: Sequence[str] | None = None
) -> Examples:
    """Return the examples of a user's table; `Examples` stay as they are.

    Args:
        samples: a list of dicts, a dataset of Hugging Face, or what `pandas.DataFrame` accepts; of samples that have
            several units `unit_rows.read` says which keys. Without a column `id`, the ids are the row numbers from 0.
        where: beginning of error messages.
        unit_task: tokens or multilabel; None = samples without units.
        names: names of the tags or labels, by index; None = unknown.

    Raises:
        DataError: it is not a table, or an id, a planted kind, a token, a label or a value cannot be used.
    """
    if isinstance(samples, Examples):
        return samples
    rows = rows_of(samples)
    if not rows:
        raise DataError(f"{where}: no rows; leave it out, or give the samples")
    columns = list(dict.fromkeys(name for row in rows for name in row))
    given = unit_rows.read(rows, unit_task, names, where) if unit_task else None
    lines = [line(number, row, where) for number, row in enumerate(rows, start=1)]
    found: dict[str, list] = {
        "id": [row.get("id") for row in rows] if "id" in columns else list(range(len(rows)))
    }
    if given and unit_task is Task.TOKENS:
        found["text_a"] = [shown(unit_rows.joined(tokens)) for tokens in given.tokens]
    else:
        found |= texts(rows, columns, where)
    if not given and "text_a" not in found:
        found["text_a"] = [shown(line.decode().strip()) for line in lines]
    if not given and "s_label" in columns:
        found["s_label"] = [row.get("s_label") for row in rows]
    return Examples(arguments.unlabeled_samples(found, where), b"".join(lines), given)


def rows_of(samples: Any) -> list[dict[str, Any]]:
    """Return the rows as dicts of plain values, each with the keys that it had."""
    try:
        for method in ("to_list", "to_dicts", "to_pylist"):  # of Hugging Face, Polars, Arrow
            if hasattr(samples, method):
                samples = getattr(samples, method)()
        if isinstance(samples, list | tuple) and all(isinstance(row, Mapping) for row in samples):
            return [dict(row) for row in samples]
        return arguments.frame_of(samples).to_dict("records")
    except Exception as error:  # each library raises errors of its own
        raise DataError(
            f"samples=: not a table ({shortened(error)}); give a list of dicts, a dataset or a DataFrame"
        ) from error


def texts(rows: Sequence[Mapping], columns: list[str], where: str = SAMPLES) -> dict[str, list[str]]:
    """Return the prompts and completions as text_a and text_b; {} with a note where no column is known."""
    chat = next((name for name in CHATS if name in columns), None)
    pair = next((pair for pair in PAIRS if set(pair) - {None} <= set(columns)), None)
    if chat:
        turns = [_turns(row.get(chat)) for row in rows]
        return {
            "text_a": [shown("\n\n".join(one[:-1])) for one in turns],
            "text_b": [shown("".join(one[-1:])) for one in turns],
        }
    if pair is None:
        say(
            "note: {where} has no column with texts (columns: {columns}), so whole rows are shown; name the texts "
            "prompt and completion, messages, or text",
            where=where,
            columns=first_few(columns, 10),
        )
        return {}
    first, second = pair
    prompts = [_text(row.get(first)) for row in rows]
    if first == "instruction":  # Alpaca's format has an input beside it
        inputs = [_text(row.get("input")) for row in rows]
        prompts = ["\n\n".join(filter(None, both)) for both in zip(prompts, inputs, strict=True)]
    found = {"text_a": [shown(text) for text in prompts]}
    return found | ({"text_b": [shown(_text(row.get(second))) for row in rows]} if second else {})


def _text(value: Any) -> str:
    """Return a cell as text: a text as it is, a list of messages as their contents."""
    return "\n\n".join(_turns(value)) if isinstance(value, list | tuple | np.ndarray) else _plain(value)


def _turns(value: Any) -> list[str]:
    """Return the messages of a chat, each with its role where there are several."""
    messages = list(value) if isinstance(value, list | tuple | np.ndarray) else []
    if not all(isinstance(message, Mapping) for message in messages):
        return [_plain(message) for message in messages]
    texts = [_plain(message.get("content", message.get("value"))) for message in messages]
    roles = [_plain(message.get("role", message.get("from"))) for message in messages]
    last = len(texts) - 1
    return [
        f"{role}: {text}" if role and place < last else text
        for place, (role, text) in enumerate(zip(roles, texts, strict=True))
    ]


def _plain(value: Any) -> str:
    return "" if arguments.is_absent(value) else str(value)


def shown(text: str) -> str:
    """Return a text, without what is beyond `MAX_TEXT` characters."""
    return cut(text, MAX_TEXT)


def line(number: int, row: Mapping, where: str = SAMPLES) -> bytes:
    """Return a row as a JSON line; an absent value of a table (NaN) is null.

    Raises:
        DataError: JSON has no such value.
    """
    plain = {name: None if arguments.is_absent(value) else value for name, value in row.items()}
    try:
        return json.dumps(plain, ensure_ascii=False, allow_nan=False, default=_jsonable).encode() + b"\n"
    except (TypeError, ValueError, RecursionError) as error:
        raise DataError(
            f"{where}: row {number} cannot be written as JSON ({reason(error)}); give texts, numbers and lists"
        ) from error


def _jsonable(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if hasattr(value, "isoformat"):
        return value.isoformat()
    raise TypeError(f"a {type(value).__name__}")
