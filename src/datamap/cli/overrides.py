"""Translate command-line arguments into Hydra's overrides, in which a text stays what the user typed."""

import re
from argparse import OPTIONAL
from dataclasses import fields, is_dataclass
from typing import Any, get_args, get_origin

from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString, ValueType
from hydra.errors import HydraException

from datamap.config import HOLDS, literal
from datamap.errors import ConfigError

QUOTED = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
# A quote opens a quoted text only at the beginning of a value; within a word it is an apostrophe.
TOKEN = re.compile(rf"""(?<![^\s,\[{{(:=])(?:{QUOTED})|\\.|.""", re.DOTALL)
SWEEP = re.compile(r"(choice|shuffle|sort|tag|range|interval|glob)\(.*\)", re.DOTALL)
MULTIRUN = frozenset(("-m", "--multirun"))


def translate(arguments: list[str], step: type) -> list[str]:
    """Return command-line arguments as Hydra understands them.

    `--key value` and `--key=value` (from `mlflow run -P`) become `key=value`; an empty value means the default.
    Values are quoted where Hydra would change what the user typed (see `quote`).

    Args:
        arguments: the command line after the command's name.
        step: dataclass of the command's keys, whose types tell which values are texts.

    Raises:
        ConfigError: an argument is not UTF-8, or is a value without a key.
    """
    for argument in arguments:
        if not argument.isascii() and argument != argument.encode("utf-8", "replace").decode():
            raise ConfigError(f"{argument!r} is not UTF-8; rename the file, or set the terminal to UTF-8")
    joined = _joined(arguments)
    given = [a for a in joined if not _is_default(a, step)]
    for argument in given:
        if "=" not in argument and not argument.startswith(("-", "~")):
            raise ConfigError(f"{argument!r} has no key: give key=value; --help lists the keys")
    overrides = [quote(argument, step, bool(MULTIRUN & set(given))) for argument in given]
    keys = set(map(key_of, overrides))
    if "model.name_or_path" in keys and "model" not in keys:
        overrides.insert(0, "model=folder")  # a pretrained model needs its own learning rate
    return overrides


def _is_default(argument: str, step: type) -> bool:
    """Tell whether an argument is a key without a value, which leaves the key's default; an unknown key stays."""
    key, equals, value = argument.partition("=")
    return bool(equals and not value and _kinds(step, key.lstrip("+")))


def _joined(arguments: list[str]) -> list[str]:
    """Join each key, and each option of Hydra, with its value into one argument."""
    options = {option: action for action in get_args_parser()._actions for option in action.option_strings}
    rest, joined = list(arguments), []
    while rest:
        argument = rest.pop(0)
        action = options.get(argument)
        if action is None:
            if argument.startswith("--") and argument.partition("=")[0] not in options:
                argument = (
                    argument[2:] if "=" in argument else f"{argument[2:]}={rest.pop(0) if rest else ''}"
                )
        elif rest and (
            action.nargs is None or (action.nargs == OPTIONAL and rest[0] in (action.choices or ()))
        ):
            argument = f"{argument}={rest.pop(0)}"
        joined.append(argument)
    return joined


def quote(argument: str, step: type, sweeps: bool = False) -> str:
    """Return `key=value` with its value quoted where Hydra would change a text, or does not accept it unquoted.

    The key's type decides: in a text, Hydra would read `12_5` as 125, and `${…}` as another key's value. Values that
    the user quoted stay quoted; `null` stays null where a key may have no value.

    Args:
        argument: an override `key=value`, or a flag, which is not changed.
        step: dataclass of the command's keys.
        sweeps: split values at their commas, as a multirun makes a job of each part.
    """
    key, equals, value = argument.partition("=")
    if not equals or argument.startswith("-"):
        return argument
    kinds = _kinds(step, key.lstrip("+"))
    of_choice = re.fullmatch(r"choice\((.*)\)", value, re.DOTALL)
    if sweeps and of_choice:
        return f"{key}=choice({_listed(of_choice[1], kinds)})"
    if sweeps and (len(parts(value)) > 1 or SWEEP.fullmatch(value)):
        return f"{key}={value if SWEEP.fullmatch(value) else _listed(value, kinds)}"
    return f"{key}={_typed(value, kinds)}"


def _kinds(step: Any, key: str) -> tuple[Any, ...]:
    """Return the types that a key's value may have; () where there is no such key."""
    found: tuple[Any, ...] = (step,)
    for name in key.split("."):
        outer = next((kind for kind in found if is_dataclass(kind) or get_origin(kind) is dict), None)
        found = _kinds_inside(outer, name)
    return found


def _kinds_inside(outer: Any, name: str) -> tuple[Any, ...]:
    if is_dataclass(outer):
        kind = {key.name: HOLDS.get(key.name, key.type) for key in fields(outer)}.get(name)
    else:
        kind = get_args(outer)[1] if outer else None
    return () if kind is None else _alternatives(kind)


def _alternatives(kind: Any) -> tuple[Any, ...]:
    return (kind,) if get_origin(kind) in (list, dict) else get_args(kind) or (kind,)


def _typed(value: str, kinds: tuple[Any, ...]) -> str:
    """Return a value in Hydra's grammar, in which its texts stay as they were typed."""
    inner = value.strip()
    for kind in kinds:
        if get_origin(kind) is list and inner[:1] + inner[-1:] == "[]":
            return f"[{_listed(inner[1:-1], _alternatives(get_args(kind)[0]))}]"
        if (is_dataclass(kind) or get_origin(kind) is dict) and inner[:1] + inner[-1:] == "{}":
            return f"{{{', '.join(_pair(part, kind) for part in parts(inner[1:-1]) if part.strip())}}}"
    names_file = any(map(is_dataclass, kinds))  # a key of a config group names a file, as in `model=tiny`
    if str not in kinds and not names_file:
        return value if _parsed(value) and "${" not in value else _text(value)
    is_number = int in kinds and re.fullmatch(r"-?\d+", value)
    return value if is_number or (type(None) in kinds and value == "null") else _text(value)


def _listed(text: str, kinds: tuple[Any, ...]) -> str:
    return ",".join(_typed(part.strip(), kinds) for part in parts(text) if part.strip())


def _pair(text: str, outer: Any) -> str:
    name, colon, value = text.partition(":")
    return f"{name.strip()}{colon} {_typed(value.strip(), _kinds_inside(outer, name.strip()))}"


def _text(typed: str) -> str:
    """Return a text quoted and escaped so that Hydra and OmegaConf give back what was typed."""
    parsed = _parsed(typed)
    if parsed and re.fullmatch(QUOTED, typed, re.DOTALL):
        typed = str(parsed.value())
    elif parsed and parsed.value_type == ValueType.ELEMENT and parsed.value() == typed and "${" not in typed:
        return typed
    return QuotedString(literal(typed), Quote.single).with_quotes()


def _parsed(value: str) -> Override | None:
    """Return a value as Hydra reads it; None where its grammar does not accept it."""
    try:
        return OverridesParser.create().parse_override(f"key={value}")
    except HydraException:
        return None


def parts(text: str) -> list[str]:
    """Split a text at the commas outside of quotes and brackets.

    >>> parts("a, 'b, c',[d,e], it's")
    ['a', " 'b, c'", '[d,e]', " it's"]
    """
    found, depth = [""], 0
    for token in TOKEN.findall(text):
        depth = max(0, depth + (token in "[{(") - (token in ")}]"))
        if token == "," and not depth:
            found.append("")
        else:
            found[-1] += token
    return found


def key_of(override: str) -> str:
    """Return the key that an override sets.

    >>> key_of("trainer.epochs=3")
    'trainer.epochs'
    """
    return override.partition("=")[0]


def swept(overrides: list[str]) -> set[str]:
    """Return the keys that have several values, one for each job of a multirun.

    >>> sorted(swept(["seed=1,2", "data.path='a,b.tsv'", "maps=[1,2]", "trainer.lr=choice(1,2)"]))
    ['seed', 'trainer.lr']
    """
    given = [override for override in overrides if "=" in override]
    return {key_of(one) for one in given if OverridesParser.create().parse_override(one).is_sweep_override()}


def name_of(overrides: list[str], keys: set[str]) -> str:
    """Return a run's name, made of its values of these keys, without the quotes that Hydra needs.

    >>> name_of(["seed=1", "data.path='a, b.tsv'", "trainer.epochs=2"], {"seed", "data.path"})
    'seed=1, data.path=a, b.tsv'
    """
    return ", ".join(
        f"{key_of(one)}={','.join(map(_shown, parts(one.partition('=')[2])))}"
        for one in overrides
        if key_of(one) in keys
    )


def _shown(value: str) -> str:
    parsed = _parsed(value)
    return str(parsed.value()).replace("\\${", "${") if parsed and value[:1] in ("'", '"') else value


def refuse_with_resume(config: object, overrides: list[str]) -> None:
    """Raise ConfigError for keys that would be ignored, because a resumed run continues with its own config."""
    if getattr(config, "resume", False):
        for key in map(key_of, overrides):
            if key not in ("resume", "run_id", "model.trust_pickle") and not key.startswith("tracking"):
                raise ConfigError(f"{key}: resume=true goes on with the run's own config; leave {key} out")
