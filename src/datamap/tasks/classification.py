"""Record classification: one label of several classes per sample."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from datamap.schema import Task
from datamap.signals import compute
from datamap.tasks.task import Definition, further_signals


def table(
    ids: Any, where: str, correct_above: float, outputs: Mapping[str, Any], further: Mapping[str, Any]
) -> pa.Table | None:
    """Return the signals of a batch (`compute.signal_table`) and the user's own; None if it is empty."""
    found = compute.classification_table(ids, where, **outputs)
    if found is None:
        return None
    names = found["id"].to_numpy()
    for name, values in further_signals(names, where, further, tuple(compute.DERIVED)).items():
        found = found.append_column(name, pa.array(values))
    return found


DEFINITION = Definition(
    task=Task.CLASSIFICATION,
    keywords=("labels", "logits", "probs"),
    table=table,
    correct="the class with the largest probability is the given label",
    has_classes=True,
)
