"""Write our commands as the user calls them: as scripts of a clone, or as the installed `datamap`."""

import re
import shlex
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

# Command → its script in src/ and its file in conf/, where these have another name.
SCRIPTS = {"import": "import_signals", "export": "export_signals"}

_project: list[str] = []  # `mlflow run <project> …`, where the folder of this process is not the user's


def in_project(tags: Mapping[str, str]) -> None:
    """Write commands as `mlflow run` from now on, if it runs this process in another folder than the user's.

    That is known of the temporary copies that it makes of projects, and of those whose address begins with file:.

    Args:
        tags: those of the run that `mlflow run` made; {} where there is none.
    """
    _project.clear()
    # The project file:///x, which MLflow runs where it is, it calls <the user's folder>/file:/x.
    source = re.sub(".*/file:/+", "file:///", tags.get("mlflow.source.name", ""))
    elsewhere = Path.cwd().is_relative_to(Path(tempfile.gettempdir()).resolve())
    if source and "mlflow.project.entryPoint" in tags and (elsewhere or source.startswith("file:")):
        environment = tags.get("mlflow.project.env", "local")  # MLflow sets it, but for `local`
        _project.extend(["mlflow", "run", source, "--env-manager", environment])


def invocation(command: str, *arguments: str) -> str:
    """Return the command line of one of our commands, in the way in which this process was called.

    Args:
        command: such as "train" or "import".
        arguments: such as "run_id=latest"; quoted for a shell.

    >>> invocation("plot", "run_id=latest", "name=my map")
    "datamap plot run_id=latest 'name=my map'"
    """
    if _project:
        parameters = [word for argument in arguments for word in ("-P", argument)]
        called = shlex.join([*_project, "-e", SCRIPTS.get(command, command)])
        return " ".join([called, *map(_quoted, parameters)])
    script = Path(sys.argv[0] if sys.argv else "")
    of_clone = script.parent.name == "src" and (script.parent / "datamap").is_dir()
    called = f"python src/{SCRIPTS.get(command, command)}.py" if of_clone else f"datamap {command}"
    return " ".join([called, *map(_quoted, arguments)])


def _quoted(argument: str) -> str:
    """Return an argument quoted for a shell, in the marks that it does not have itself where that is enough.

    >>> print(_quoted("a='|'"), _quoted("a=1"), _quoted("it's $5"))
    "a='|'" a=1 'it'"'"'s $5'
    """
    plain = "'" in argument and not set(argument) & set('"$`\\!\n')
    return f'"{argument}"' if plain else shlex.quote(argument)
