"""Compose the command that trains on a curated file as its source run was trained.

A stranger may have made the source run, and the user pastes the command into a shell. So no text of the run reaches it:
`config/train.overrides.json` tells which keys were given, `config/train.yaml` their values, and only the keys of `KEYS`
are carried over, each as a value of its own type and within its range. A model's name is carried over if `conf/model/`
has it; the user must give a path to a model, and trust in its pickles, again.
"""

import re
from collections.abc import Iterator
from dataclasses import Field, fields
from typing import Any

from pydantic import TypeAdapter, ValidationError

from datamap.config import LiveConfig, ModelConfig, ScratchConfig, SignalsConfig, TrainConfig, TrainerConfig
from datamap.errors import first_few
from datamap.log import say
from datamap.places import CONF
from datamap.program import invocation
from datamap.ranges import problem
from datamap.tracking.run import Run
from datamap.translations import translate

_OF_MODEL = ("max_length", "lr", "epochs", "batch_size", "threads")
KEYS: dict[str, Field] = {
    **{key.name: key for key in fields(TrainConfig) if key.name in ("seed", "log_text", "lang")},
    **{f"model.{key.name}": key for key in fields(ModelConfig) if key.name in _OF_MODEL},
    **{f"model.scratch.{key.name}": key for key in fields(ScratchConfig)},
    **{f"trainer.{key.name}": key for key in fields(TrainerConfig)},
    **{f"signals.{key.name}": key for key in fields(SignalsConfig)},
    **{f"plot.{key.name}": key for key in fields(LiveConfig)},
}
# Keys that are never carried over: a curated file is other data, and the user says where to log.
OTHER_DATA = ("data", "tracking", "plot", "summarize", "maps", "run_id", "resume")
# A choice, or a device such as gpu:0.
WORD = re.compile(r"(?!null$|true$|false$|nan$|inf$)[a-z]+(:[0-9]{1,4})?")
# A column's name that neither a shell nor Hydra interprets.
NAME = re.compile(r"(?!(?:null|true|false|nan|inf|auto)$)[^\W\d][\w .（）-]{0,79}", re.IGNORECASE)
MAX_NUMBER = 2**63
TO_GIVE = "???"  # in Hydra: the user must give this value


def command(source: Run, data: dict[str, str], gone: list[str], same_form: bool | None = None) -> str:
    """Return the command, and print which keys of the source run it does not carry over.

    Args:
        source: run whose training is repeated; its artifacts are not trusted.
        data: {key: value} that tell the curated file and the store, which are the user's own.
        gone: names of the classes that the curated file no longer has.
        same_form: true if `data` also fits the source's development data, false if not; None = see the source's keys.
    """
    config, overrides = source.config("train"), source.overrides("train")
    given = [override.partition("=")[0] for override in overrides]
    carried = {key: _shown(_at(config, key)) for key in given if _fits(key, _at(config, key))}
    models = {f"model={path.stem}" for path in (CONF / "model").glob("*.yaml")}
    model = next((override for override in overrides if override in models), None)
    if model:
        carried = {"model": model.removeprefix("model="), **carried}
    if any(key.endswith("model.name_or_path") for key in given):
        carried["model.name_or_path"] = TO_GIVE
    dev = _development_data(config, gone, same_form)
    left = dict.fromkeys(key for key in given if key not in carried and not _is_left_out(key))
    left |= dict.fromkeys(key for key, value in carried.items() if value == TO_GIVE)
    if left:
        lost = "note: not carried over from run {run}: {keys}; give them yourself"
        say(lost, run=source.run_id, keys=first_few(_names(left)))
    values = {**data, **dev, **carried}
    return invocation("train", *(f"{key}={value}" for key, value in values.items()))


def _names(keys: dict[str, None]) -> Iterator[str]:
    """Yield the keys as a terminal can show them; what does not look like a key is escaped and cut."""
    for key in keys:
        yield key if re.fullmatch(r"[\w.+~@/-]{1,60}", key) else repr(key[:40])


def _is_left_out(key: str) -> bool:
    """Tell whether to leave a key out without a note, because it is about other data or about trust in pickles."""
    return key.split(".")[0] in OTHER_DATA or "trust_pickle" in key


def _at(config: dict[str, Any], key: str) -> Any:
    found: Any = config
    for name in key.split("."):
        found = found.get(name, ...) if isinstance(found, dict) else ...
    return found


def _fits(key: str, value: Any) -> bool:
    """Tell whether a value is of the type of one of `KEYS`, and within its range."""
    if key not in KEYS or not isinstance(value, bool | int | float | str | None):
        return False
    if isinstance(value, str) and not WORD.fullmatch(value):
        return False
    if isinstance(value, int | float) and not abs(value) < MAX_NUMBER:
        return False
    try:
        kind: Any = KEYS[key].type
        TypeAdapter(kind).validate_python(value, strict=True)
    except ValidationError:
        return False
    return value is None or not problem(KEYS[key], value)


def _shown(value: bool | int | float | str | None) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _development_data(config: dict[str, Any], gone: list[str], same_form: bool | None) -> dict[str, str]:
    """Return {key: value} that tell the source's development data; {} where it has none that fit the curated file.

    The columns that the user named are named again: of the curated file, which has our names, `rows.position` takes
    these instead.
    """
    path, columns = _at(config, "data.dev_path"), _at(config, "data.columns")
    if path in (None, ...):
        return {}
    named = {} if same_form is not None or not isinstance(columns, dict) else _named(columns)
    form = [_at(config, f"data.{key}") for key in ("header", "encoding", "delimiter")]
    if not isinstance(path, str) or not path.isprintable() or "${" in path or set(path) & set("'\"\\"):
        problem = "it is not a plain path"
    elif gone:
        problem = "it has a class that the curated file lacks"
    elif named is None or not (
        all(value in (None, ...) for value in form) if same_form is None else same_form
    ):
        problem = "it is read differently from the curated file"
    else:
        return {"data.dev_path": path, **named}
    say("note: data.dev_path is not carried over: {problem}", problem=translate(problem))
    return {}


def _named(columns: dict[str, Any]) -> dict[str, str] | None:
    """Return {key: column} of texts and labels that the user named; None where one is a position or unusual."""
    given = {name: columns.get(name, "auto") for name in ("text_a", "text_b", "label")}
    named = {name: "null" if value is None else value for name, value in given.items() if value != "auto"}
    if not all(
        value == "null" or isinstance(value, str) and NAME.fullmatch(value) for value in named.values()
    ):
        return None
    return {f"data.columns.{name}": value for name, value in named.items()}
