"""Write our commands as the user calls them: as scripts of a clone, or as the installed `datamap`."""

import shlex
import sys
from pathlib import Path

# Command → its script in src/ and its file in conf/, where these have another name.
SCRIPTS = {"import": "import_signals", "export": "export_signals"}


def invocation(command: str, *arguments: str) -> str:
    """Return the command line of one of our commands, in the way in which this process was called.

    Args:
        command: such as "train" or "import".
        arguments: such as "run_id=latest"; quoted for a shell.

    >>> invocation("plot", "run_id=latest", "name=my map")
    "datamap plot run_id=latest 'name=my map'"
    """
    script = Path(sys.argv[0] if sys.argv else "")
    of_clone = script.parent.name == "src" and (script.parent / "datamap").is_dir()
    called = f"python src/{SCRIPTS.get(command, command)}.py" if of_clone else f"datamap {command}"
    return " ".join([called, *map(shlex.quote, arguments)])
