"""Command line → Hydra → a step; a user's mistake → one line and exit code 2."""

import gc
import os
import re
import signal
import sys
import tempfile
from pathlib import Path

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from datamap.commands import config as types
from datamap.errors import ConfigError, DataMapError, did_you_mean

# Imports make many objects and no garbage: looking for some as often as usual takes a quarter of the
# wall time of a short step (benchmarks/startup.py).
gc.set_threshold(200_000, 20, 100)

ROOT = Path(__file__).resolve().parents[3]
CONF = ROOT / "conf"

# No output folders and no log files of Hydra's own: all that a step makes is in its MLflow run.
QUIET = (
    "hydra.run.dir=.",
    "hydra.sweep.subdir=.",
    "hydra.output_subdir=null",
    "hydra/job_logging=disabled",
    "hydra/hydra_logging=disabled",
)
MISSING_HINTS = {
    "keep": "choose clean, relabelled, corrected, ambiguous, both_ends or forgettable",
    "runs": "give runs='[<id>,<id>]', or a search filter such as \"runs=params.data = 'demo'\"",
    "run_id": "give run_id=<id>, or run_id=latest for the newest run with signals",
}
QUOTED = ("run_id", "plot.run_id", "summarize.run_id", "diagnose.run_id")  # Hydra would read 9e34…1 as a number


def step(name, description, sweep=None):
    """Decorator of an entry point: `main(config)` becomes the command of step `name`.

    The command takes Hydra overrides (`key=value`), and `--key value` as `mlflow run -P` passes
    them. It exits 0, 2 for a user's mistake (one line on stderr), 130 when interrupted; a bug of
    ours keeps its traceback and exits 1. With `-m`, `sweep()` makes what runs the jobs instead of
    `main`: its `job(config, name)` is called for each, then its `end()`.
    """

    def decorate(main):
        def command():
            arguments = translate(sys.argv[1:])
            if {"--help", "-h"} & set(arguments):
                print(help_text(name, description))
                return
            sys.exit(_run(name, main, arguments, sweep))

        return command

    return decorate


def _run(name, main, arguments, sweep):
    OmegaConf.register_new_resolver("root", lambda: str(ROOT), replace=True)
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra raises what it would print over many lines
    failure = []
    # Hydra's parser does not take a flag between overrides.
    flags = [argument for argument in arguments if argument in ("-m", "--multirun")]
    sweeper = sweep() if flags and sweep else None

    def task(raw):
        try:
            config = validated(raw, name)
            refuse_with_resume(config, arguments)
            sweeper.job(config, _job_name(arguments)) if sweeper else main(config)
        except DataMapError as error:
            failure.append(error)  # raised from here, Hydra would print lines of its own

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a polite kill is a Ctrl-C
    overrides = [a for a in arguments if a not in flags]
    try:
        with tempfile.TemporaryDirectory() as folder:  # for the multirun.yaml that Hydra leaves
            sys.argv = [sys.argv[0], *flags, *QUIET, f"hydra.sweep.dir={folder}", *overrides]
            hydra.main(config_path=str(CONF), config_name=name, version_base="1.3")(task)()
        if sweeper:
            sweeper.end()
    except DataMapError as error:
        failure.append(error)
    except (HydraException, OmegaConfBaseException) as error:
        failure.append(ConfigError(one_line(error) + _key_hint(error, name)))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    if failure:
        print(f"error: {one_line(failure[0])}", file=sys.stderr)
        return 2
    return 0


def _key_hint(error, name):
    """`; did you mean …?` for a key that Hydra does not know."""
    misspelt = re.search(r"Could not override '([^']*)'", str(error))
    return did_you_mean(misspelt.group(1), types.keys(types.STEPS[name])) if misspelt else ""


def validated(raw, name):
    """The composed config as the step's dataclass, types and ranges checked.

    Raises:
        ConfigError: a value is missing, of the wrong type or out of range.
    """
    try:
        merged = OmegaConf.merge(OmegaConf.structured(types.STEPS[name]), raw)
        for key in sorted(OmegaConf.missing_keys(merged)):
            raise ConfigError(f"{key} is missing: {MISSING_HINTS.get(key, f'give {key}=<value>')}")
        config = OmegaConf.to_object(merged)
    except OmegaConfBaseException as error:
        raise ConfigError(f"{error.full_key}: {str(error).strip().splitlines()[0]}") from error
    types.check(config)
    return config


def composed(name, **values):
    """The default config of another step with these values; not while Hydra runs a step."""
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        raw = hydra.compose(name)
    return validated(OmegaConf.merge(raw, values), name)


def _job_name(arguments):
    """What tells a job of a multirun from the others: `seed=1`."""
    swept = {a.partition("=")[0] for a in arguments if "," in a}
    chosen = HydraConfig.get().overrides.task
    return ", ".join(override for override in chosen if override.partition("=")[0] in swept)


def refuse_with_resume(config, overrides):
    """Raise ConfigError for keys that would not be used, as a resumed run goes on with its own config."""
    if getattr(config, "resume", False):
        for key in (override.partition("=")[0] for override in overrides):
            if key not in ("resume", "run_id") and not key.startswith("tracking"):
                raise ConfigError(f"{key}: resume=true goes on with the run's own config; leave {key} out")


def translate(arguments):
    """Command-line arguments as Hydra understands them.

    `--key value` and `--key=value` (from `mlflow run -P`) become `key=value`; an empty value
    means the default; a run id is quoted, so that 9e34 stays an id; so is a value that Hydra's
    grammar does not take unquoted (Chinese file names, say).
    """
    flags = {option for action in get_args_parser()._actions for option in action.option_strings}
    rest, overrides = list(arguments), []
    while rest:
        argument = rest.pop(0)
        key = argument.partition("=")[0]
        if key.startswith("--") and key not in flags:
            argument = argument[2:] if "=" in argument else f"{argument[2:]}={rest.pop(0) if rest else ''}"
        overrides.append(argument)
    overrides = [quote(a) for a in overrides if not (a.endswith("=") and a.count("=") == 1)]
    keys = {a.partition("=")[0] for a in overrides}
    if "model.name_or_path" in keys and "model" not in keys:
        overrides.insert(0, "model=folder")  # a pretrained model needs its own learning rate
    return overrides


def quote(argument):
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


def one_line(error):
    """An error's message on one line."""
    lines = [line.strip() for line in str(error).strip().splitlines()]
    return " ".join(line for line in lines if line)


def help_text(name, description):
    """What the step does and every key it takes: its YAML files, which explain themselves."""
    primary = CONF / f"{name}.yaml"
    parts = [
        description.strip(),
        f"\nKeys and their defaults ({primary.relative_to(ROOT)}); give any as key=value:\n",
    ]
    parts.append(primary.read_text(encoding="utf-8").strip())
    for group in GROUPS[name]:
        options = sorted(path.stem for path in (CONF / group).glob("*.yaml"))
        parts.append(f"\n{group}= {' | '.join(options)}   (conf/{group}/*.yaml)")
        shown = DEFAULT_FILES[group]
        body = (CONF / group / shown).read_text(encoding="utf-8").strip()
        parts.append("\n".join(f"  {line}" for line in [f"# conf/{group}/{shown}", *body.splitlines()]))
    return "\n".join(parts)


# The file that explains each config group best, and the groups of each step.
DEFAULT_FILES = {
    "data": "file.yaml",
    "model": "tiny.yaml",
    "engine": "dask.yaml",
    "regions": "absolute.yaml",
    "tracking": "default.yaml",
}
GROUPS = {
    "train": ("data", "model", "tracking"),
    "summarize": ("engine", "tracking"),
    "plot": ("tracking",),
    "compare": ("tracking",),
    "main": ("data", "model", "tracking"),
    "diagnose": ("regions", "tracking"),
    "curate": ("tracking",),
    "upload": (),
    "import_signals": ("tracking",),
    "export_signals": ("tracking",),
}
