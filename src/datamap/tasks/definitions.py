"""Find the definition of a task, and make the table of a batch by it."""

from collections.abc import Callable
from typing import Any

import pyarrow as pa

from datamap.errors import SignalError, first_few
from datamap.schema import Task
from datamap.tasks import classification, generation, multilabel, scores, tokens
from datamap.tasks.task import COMMON, Definition

DEFINITIONS: dict[Task, Definition] = {
    module.DEFINITION.task: module.DEFINITION
    for module in (classification, generation, scores, tokens, multilabel)
}


def tables_of(task: Task, correct_above: float = 0.5) -> Callable[..., pa.Table | None]:
    """Return a function (ids, where, **outputs) that makes the table of a batch of this task, or None of an empty one.

    The function raises SignalError for an output of another task, or a value that cannot be recorded.

    Args:
        task: the task.
        correct_above: generation: a sample is right if this share of its target tokens is exceeded.
    """
    definition = DEFINITIONS[task]
    own = {*definition.keywords, *COMMON}

    def table(ids: Any, where: str, **given: Any) -> pa.Table | None:
        refuse_other_tasks(definition, where, given)
        outputs = {name: value for name, value in given.items() if name in own}
        further = {name: given[name] for name in sorted(given) if name not in own}
        return definition.table(ids, where, correct_above, outputs, further)

    return table


def refuse_other_tasks(definition: Definition, where: str, given: dict[str, Any]) -> None:
    """Raise SignalError if a keyword of `record` belongs to other tasks only."""
    for name in given:
        others = [task.value for task, other in DEFINITIONS.items() if name in other.keywords]
        if others and name not in definition.keywords:
            raise SignalError(
                f"{where}: {name}= belongs to SignalRecorder(task={others[0]!r}); task={definition.task.value!r} "
                "accepts "
                f"{first_few(definition.keywords, 10)}, and signals under names of your own"
            )
