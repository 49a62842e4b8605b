"""What a person reads when a command fails: one line, whatever was raised."""

import errno
import os
import sys
import tempfile
import time
import traceback
from pathlib import Path

from datamap.errors import DataMapError, masked
from datamap.log import print_error, printable

# Reasons outside of Data Map that the user can do something about.
ADVICE = {
    errno.ENOSPC: "make room",
    errno.EDQUOT: "make room",
    errno.EACCES: "check who may read and write there",
    errno.EPERM: "check who may read and write there",
    errno.EROFS: "work in a folder that can be written",
    errno.ENAMETOOLONG: "use a shorter path",
    errno.EISDIR: "name a file, not a folder",
    errno.ENOTDIR: "name a folder, not a file",
    errno.ENOENT: "check the path",
    errno.EMFILE: "allow more open files: ulimit -n",
}
# Foreign exceptions by the package that raises them: their own words name what is wrong.
FOREIGN = ("mlflow", "sqlalchemy", "pyarrow")
TRAIN_EXTRA = ("paddle", "paddlenlp", "safetensors")  # what an installation without [train] lacks


def one_line(error: BaseException) -> str:
    """An error's message on one line, without passwords and what controls a terminal."""
    lines = [line.strip() for line in str(error).strip().splitlines()]
    return printable(" ".join(line for line in lines if line))


def explained(error: BaseException) -> str | None:
    """Why a foreign exception ended the command and what to do; None where it can only be a bug of ours."""
    if isinstance(error, DataMapError):
        return one_line(error)
    if isinstance(error, OSError) and error.errno in ADVICE:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}; {ADVICE[error.errno]}"
    if isinstance(error, MemoryError):
        return "out of memory; use fewer samples, a smaller batch or a machine with more memory"
    if isinstance(error, ModuleNotFoundError) and error.name in TRAIN_EXTRA:
        return f"training needs {error.name}; install it: pip install 'datamap[train]'"
    package = type(error).__module__.partition(".")[0]
    if package in FOREIGN:
        cause = getattr(error, "orig", None) or error  # SQLAlchemy's own words are the whole statement
        return f"{package}: {one_line(cause) or type(error).__name__}"
    return None


def report(error: BaseException) -> str:
    """Write the traceback of a bug into a file; what to tell the user: the file, and what is safe."""
    text = "".join(traceback.format_exception(error))
    name = f"datamap-error-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
    try:
        path = Path(tempfile.gettempdir(), name)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL  # texts of the data may be in it: for this user only
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
