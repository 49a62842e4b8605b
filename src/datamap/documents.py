"""Parse the small JSON and YAML artifacts of a run into checked types, as a stranger may have made the run.

All functions raise ValueError with a short reason; the caller adds which artifact is damaged.
"""

import json
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import Field, JsonValue, TypeAdapter, ValidationError

from datamap.schema import MAX_CLASSES, Task

Number = Annotated[int, Field(ge=0, le=2**53)]  # of an observation; a browser holds it exactly
Name = Annotated[str, Field(min_length=1)]
T = TypeVar("T")
YAML_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C where PyYAML has it: ten times as quick


@dataclass(frozen=True)
class Summarized:
    """Represent summary.json, which says how summary.tsv was made.

    Attributes:
        observations: numbers of the observations that it covers.
        allow_missing: true if some of them may lack samples.
        sha256: digest of summary.tsv.
        newest: the newest observation that the run had then; in runs of earlier versions, of `observations`.
    """

    observations: Annotated[list[Number], Field(min_length=1)]
    allow_missing: bool
    sha256: str
    newest: Number = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "newest", self.newest or max(self.observations))


@dataclass(frozen=True)
class RecordedTask:
    """Represent task.json, which names the task of a run; without it, the task is classification.

    Attributes:
        task: the task.
        correct: what `correct` means, for people.
        correct_above: generation: the share of right target tokens that a right sample exceeds.
        signals: {signal that the task adds to those of the contract: its meaning, for people}.
        label_names: multilabel: the names of the labels, by index.
    """

    task: Task = Task.CLASSIFICATION
    correct: str = ""
    correct_above: Annotated[float, Field(ge=0, lt=1)] = 0.5
    signals: dict[str, str] = field(default_factory=dict)
    label_names: list[str] = field(default_factory=list)

    @property
    def words(self) -> str:
        """Return the task in the words of a recorder's arguments."""
        border = f" and correct_above={self.correct_above:g}" if self.task is Task.GENERATION else ""
        return f"task={self.task.value}{border}"


_LABELS = TypeAdapter(Annotated[dict[str, Name], Field(max_length=MAX_CLASSES)])
_TASK = TypeAdapter(RecordedTask)
_SUMMARIZED = TypeAdapter(Summarized)
_OVERRIDES = TypeAdapter(list[str])
_CONFIG = TypeAdapter(dict[str, JsonValue])


def labels(content: bytes) -> tuple[str, ...]:
    """Return the class names of a labels.json, by index.

    Raises:
        ValueError: the content is not {class index from 0: name}, or an index is missing.

    >>> labels(b'{"0": "no", "1": "yes"}')
    ('no', 'yes')
    """
    names = _parsed(_LABELS, content)
    found = tuple(names[key] for key in map(str, range(len(names))) if key in names)
    if len(found) < len(names):
        raise ValueError("not {class index from 0: class name}, with a name for each index")
    return found


def task(content: bytes) -> RecordedTask:
    """Return the content of a task.json.

    Raises:
        ValueError: it is of a task that this version does not know, or damaged.

    >>> task(b'{"task": "scores"}').task.value
    'scores'
    """
    return _parsed(_TASK, content)


def task_text(task: RecordedTask) -> str:
    """Return a task.json."""
    own = {"task": task.task.value, "correct": task.correct}
    more: dict[str, Any] = {"correct_above": task.correct_above} if task.task is Task.GENERATION else {}
    more |= {"signals": task.signals} if task.signals else {}
    more |= {"label_names": task.label_names} if task.label_names else {}
    return json.dumps({**own, **more}, ensure_ascii=False, indent=1) + "\n"


def summarized(content: bytes) -> Summarized:
    """Return the content of a summary.json."""
    return _parsed(_SUMMARIZED, content)


def overrides(content: bytes) -> list[str]:
    """Return the overrides of a config/<command>.overrides.json."""
    return _parsed(_OVERRIDES, content)


def config(content: bytes) -> dict[str, Any]:
    r"""Return a config/<command>.yaml as plain data, and resolve nothing in it, such as `${oc.env:SECRET}`.

    >>> config(b"seed: 1\ndata: {path: '${oc.env:SECRET}'}")
    {'seed': 1, 'data': {'path': '${oc.env:SECRET}'}}
    """
    try:
        # A kilobyte of nested aliases can stand for gigabytes.
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(content, YAML_LOADER)):
            raise ValueError("an alias, which no config of ours has")
        plain = json.dumps(yaml.load(content, YAML_LOADER), ensure_ascii=False, allow_nan=False).encode()
    except (yaml.YAMLError, TypeError, RecursionError) as error:
        raise ValueError(f"not YAML of plain values ({type(error).__name__})") from error
    return _parsed(_CONFIG, plain)


def _parsed(kind: TypeAdapter[T], content: bytes) -> T:
    """Return JSON as a value of this type, without converting a number to a text or a text to a number."""
    try:
        return kind.validate_json(content, strict=True)
    except ValidationError as error:
        raise ValueError(first_problem(error)) from error


def first_problem(error: ValidationError) -> str:
    """Return where the first problem is that pydantic found, and what it is."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"]))[:60]
    return f"{where}: {first['msg']}" if where else first["msg"]
