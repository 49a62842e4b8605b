"""Command-line arguments → Hydra's overrides."""

from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from datamap.errors import ConfigError

QUOTED = (
    "run_id",
    "plot.run_id",
    "summarize.run_id",
    "diagnose.run_id",
)  # Hydra would read 9e34…1 as a number


def translate(arguments: list[str]) -> list[str]:
    """Command-line arguments as Hydra understands them.

    `--key value` and `--key=value` (from `mlflow run -P`) become `key=value`; an empty value
    means the default; a run id is quoted, so that 9e34 stays an id; so is a value that Hydra's
    grammar does not take unquoted (Chinese file names, say).
    """
    known = {option for action in get_args_parser()._actions for option in action.option_strings}
    rest, overrides = list(arguments), []
    while rest:
        argument = rest.pop(0)
        key = argument.partition("=")[0]
        if key.startswith("--") and key not in known:
            argument = argument[2:] if "=" in argument else f"{argument[2:]}={rest.pop(0) if rest else ''}"
        overrides.append(argument)
    overrides = [quote(a) for a in overrides if not (a.endswith("=") and a.count("=") == 1)]
    keys = set(map(key_of, overrides))
    if "model.name_or_path" in keys and "model" not in keys:
        overrides.insert(0, "model=folder")  # a pretrained model needs its own learning rate
    return overrides


def quote(argument: str) -> str:
    """`key=value` with its value quoted where Hydra would misread it."""
    key, equals, value = argument.partition("=")
    if not equals or argument.startswith("-") or value[:1] in "'\"":
        return argument
    if key == "runs" and value[:1] == "[":
        ids = [part.strip(" '\"") for part in value.strip("[] ").split(",")]
        return f"runs=[{','.join(repr(i) for i in ids if i)}]"
    if key in QUOTED and value != "???":
        return f"{key}='{value}'"
    try:
        OverridesParser.create().parse_override(argument)
    except HydraException:
        escaped = value.replace("\\", "\\\\").replace("'", "\\'")
        return f"{key}='{escaped}'"
    return argument


def key_of(override: str) -> str:
    """The key that an override sets.

    >>> key_of("trainer.epochs=3")
    'trainer.epochs'
    """
    return override.partition("=")[0]


def refuse_with_resume(config: object, overrides: list[str]) -> None:
    """Raise ConfigError for keys that would not be used, as a resumed run goes on with its own config."""
    if getattr(config, "resume", False):
        for key in map(key_of, overrides):
            if key not in ("resume", "run_id", "model.trust_pickle") and not key.startswith("tracking"):
                raise ConfigError(f"{key}: resume=true goes on with the run's own config; leave {key} out")
