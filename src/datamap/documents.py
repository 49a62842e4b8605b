"""The small JSON and YAML artifacts of a run, which may be anybody's, as values of the types that they must have.

Everything here raises ValueError with a reason in a few words; who reads the artifact says which one is damaged.
"""

import json
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import Field, JsonValue, TypeAdapter, ValidationError

from datamap.schema import MAX_CLASSES

Number = Annotated[int, Field(ge=0, le=2**53)]  # of an observation: what a browser holds exactly
Name = Annotated[str, Field(min_length=1)]
T = TypeVar("T")


@dataclass(frozen=True)
class Summarized:
    """What summary.json says of summary.tsv: the observations that it is over, its SHA-256, and more.

    `newest` is the newest observation that the run had then; in runs of earlier versions that of `observations`.
    """

    observations: Annotated[list[Number], Field(min_length=1)]
    allow_missing: bool
    sha256: str
    newest: Number = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "newest", self.newest or max(self.observations))


_LABELS = TypeAdapter(Annotated[dict[str, Name], Field(max_length=MAX_CLASSES)])
_SUMMARIZED = TypeAdapter(Summarized)
_OVERRIDES = TypeAdapter(list[str])
_CONFIG = TypeAdapter(dict[str, JsonValue])


def labels(content: bytes) -> tuple[str, ...]:
    """Return the class names by index that a labels.json holds.

    >>> labels(b'{"0": "no", "1": "yes"}')
    ('no', 'yes')
    """
    names = _parsed(_LABELS, content)
    found = tuple(names[key] for key in map(str, range(len(names))) if key in names)
    if len(found) < len(names):
        raise ValueError("not {class index from 0: class name}, with a name for each index")
    return found


def summarized(content: bytes) -> Summarized:
    """Return what a summary.json says."""
    return _parsed(_SUMMARIZED, content)


def overrides(content: bytes) -> list[str]:
    """Return the overrides that a config/<command>.overrides.json holds."""
    return _parsed(_OVERRIDES, content)


def config(content: bytes) -> dict[str, Any]:
    """Return what a config/<command>.yaml holds, as plain data: nothing in it is resolved, such as `${oc.env:SECRET}`.

    >>> config(b"seed: 1\\ndata: {path: '${oc.env:SECRET}'}")
    {'seed': 1, 'data': {'path': '${oc.env:SECRET}'}}
    """
    try:
        found = yaml.load(content, _PlainLoader)  # noqa: S506  a SafeLoader
        plain = json.dumps(found, ensure_ascii=False, allow_nan=False).encode()
    except (yaml.YAMLError, TypeError, RecursionError) as error:
        raise ValueError(f"not YAML of plain values ({type(error).__name__})") from error
    return _parsed(_CONFIG, plain)


class _PlainLoader(yaml.SafeLoader):
    """Reads YAML without aliases, of which a kilobyte can stand for gigabytes."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.events.AliasEvent):
            raise yaml.YAMLError("an alias")
        return super().compose_node(parent, index)


def _parsed(kind: TypeAdapter[T], content: bytes) -> T:
    """Return JSON as a value of this kind; a number is no text, and a text is no number."""
    try:
        return kind.validate_json(content, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))[:60]
        raise ValueError(f"{where}: {first['msg']}" if where else first["msg"]) from error
