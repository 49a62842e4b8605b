"""Compose what `--help` prints: what a command does, and the YAML files that explain its keys."""

import inspect
from typing import Any

from omegaconf import DictConfig, OmegaConf

from datamap.cli.commands import COMMANDS
from datamap.places import CONF
from datamap.program import SCRIPTS, invocation

# The file that `--help` shows for each config group.
DEFAULT_FILES = {
    "data": "file.yaml",
    "model": "tiny.yaml",
    "engine": "dask.yaml",
    "regions": "absolute.yaml",
    "tracking": "default.yaml",
}


def description(command: str) -> str:
    """Return the docstring of the command's function, with `datamap` written as this process was called."""
    return (inspect.getdoc(COMMANDS[command]) or "").replace(f"datamap {command}", invocation(command))


def help_text(command: str) -> str:
    """Return the help of a command: what it does, and the commented YAML files of its keys."""
    name = SCRIPTS.get(command, command)
    parts = [
        description(command),
        f"\nKeys and their defaults (conf/{name}.yaml); give any as key=value:\n",
        (CONF / f"{name}.yaml").read_text(encoding="utf-8").strip(),
    ]
    for group in _groups(name):
        options = sorted(path.stem for path in (CONF / group).glob("*.yaml"))
        parts.append(f"\n{group}= {' | '.join(options)}   (conf/{group}/*.yaml)")
        shown = DEFAULT_FILES[group]
        body = (CONF / group / shown).read_text(encoding="utf-8").strip()
        parts.append("\n".join(f"  {line}" for line in [f"# conf/{group}/{shown}", *body.splitlines()]))
    return "\n".join(parts)


def _groups(name: str) -> list[str]:
    """Return the config groups that conf/<name>.yaml takes, or those of the file that it begins with (main: train)."""
    entries: Any = OmegaConf.load(CONF / f"{name}.yaml")
    groups = [str(group) for entry in entries.defaults if isinstance(entry, DictConfig) for group in entry]
    return groups or _groups(entries.defaults[0])


def overview() -> str:
    """Return what `datamap --help` prints: each command with the first line of its description."""
    lines = [f"  {command:10} {description(command).splitlines()[0]}" for command in COMMANDS]
    return "\n".join(
        ["Data Map: dataset cartography inside MLflow.", "", "usage: datamap <command> [key=value …]", "", *lines, "",
         "datamap <command> --help lists the keys of a command."]
    )  # fmt: skip
