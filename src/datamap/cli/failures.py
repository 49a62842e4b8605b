"""Explain a failed command to a person in one line, for any exception."""

import errno
import os
import sys
import tempfile
import time
import traceback
from pathlib import Path

from datamap.errors import DataMapError, masked
from datamap.log import print_error, printable

# Errors of the operating system, and what the user can do about them.
ADVICE = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space",
    errno.EACCES: "check its permissions",
    errno.EPERM: "check its permissions",
    errno.EROFS: "use a writable folder",
    errno.ENAMETOOLONG: "use a shorter path",
    errno.EISDIR: "name a file, not a folder",
    errno.ENOTDIR: "name a folder, not a file",
    errno.ENOENT: "check the path",
    errno.EMFILE: "allow more open files: ulimit -n",
}
# Packages whose exceptions say well enough what is wrong.
FOREIGN = ("mlflow", "sqlalchemy", "pyarrow")
# Hydra advises to put a + before a key that it does not know; we refuse that.
HYDRAS_ADVICE = "To append to your"
TRAIN_EXTRA = ("paddle", "paddlenlp", "safetensors")  # packages that only the extra [train] installs


def one_line(error: BaseException) -> str:
    """Return an error's message on one line, without passwords and without a terminal's control characters."""
    lines = [line.strip() for line in str(error).strip().splitlines() if HYDRAS_ADVICE not in line]
    return printable(" ".join(line for line in lines if line))


def explained(error: BaseException) -> str | None:
    """Return why an exception ended the command and what to do; None where only a bug in Data Map can raise it."""
    if isinstance(error, DataMapError):
        return one_line(error)
    if isinstance(error, OSError) and error.errno in ADVICE:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}; {ADVICE[error.errno]}"
    if isinstance(error, MemoryError):
        return "out of memory; use fewer samples, a smaller batch or a machine with more memory"
    if isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] in TRAIN_EXTRA:
        return (
            "Data Map is installed without the extra [train], which this needs: pip install 'datamap[train]'"
        )
    package = type(error).__module__.partition(".")[0]
    if package in FOREIGN:
        cause = getattr(error, "orig", None) or error  # SQLAlchemy's message is the whole statement
        return f"{package}: {one_line(cause) or type(error).__name__}"
    return None


def report(error: BaseException) -> str:
    """Write the traceback of a bug into a file, and return the line for the user that names it."""
    text = "".join(traceback.format_exception(error))
    name = f"datamap-error-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
    try:
        path = Path(tempfile.gettempdir(), name)
        # For this user only, as a traceback may quote texts of the data.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with open(os.open(path, flags, 0o600), "w", encoding="utf-8", errors="backslashreplace") as file:  # noqa: PTH123
            file.write(masked(f"datamap {' '.join(sys.argv[1:])}\n{text}"))
            where = f"traceback in {path}"
    except OSError:
        print_error(masked(text))
        where = "traceback above"
    return (
        f"a bug in Data Map: {type(error).__name__}: {one_line(error)[:200]} ({where}); "
        "observations that were committed are safe"
    )
