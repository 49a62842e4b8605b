"""Hold the samples of a training whose samples have several units (tokens, labels): as given, and as texts."""

from collections.abc import Sequence
from typing import Any

from datamap.errors import DataError
from datamap.recording import arguments, examples
from datamap.recording.arguments import SAMPLES
from datamap.recording.examples import Examples
from datamap.schema import Task
from datamap.tasks import rows as unit_rows


def of(samples: Any, task: Task, names: Sequence[str] | None, where: str = SAMPLES) -> Examples:
    """Return the samples of a user's table; `Examples` stay as they are.

    Args:
        samples: a list of dicts, a dataset of Hugging Face, or what `pandas.DataFrame` accepts (`unit_rows.read` says
            which keys). Without a column `id`, the ids are the row numbers from 0.
        task: tokens or multilabel.
        names: class names by index; None = unknown.
        where: beginning of error messages about rows.

    Raises:
        DataError: it is not a table, or an id, a token, a tag or a label cannot be used.
    """
    if isinstance(samples, Examples):
        return samples
    rows = examples.rows_of(samples)
    if not rows:
        raise DataError(f"{where}: no rows; leave it out, or give the samples")
    given = unit_rows.read(rows, task, names, where)
    lines = [examples.line(number, row, where) for number, row in enumerate(rows, start=1)]
    has_ids = any("id" in row for row in rows)
    columns: dict[str, list] = {"id": [row.get("id") for row in rows] if has_ids else list(range(len(rows)))}
    if task is Task.TOKENS:
        columns["text_a"] = [examples.shown(unit_rows.joined(tokens)) for tokens in given.tokens]
    else:
        columns |= examples.texts(rows, list(dict.fromkeys(name for row in rows for name in row)), where)
    return Examples(arguments.unlabeled_samples(columns, where), b"".join(lines), given)
