"""Keep what was fetched from a server in the user's cache folder, so that the next command need not fetch it again.

Only artifacts whose SHA-256 the run has are kept, and a file counts only while it has that digest. So an artifact that
was logged anew is fetched again, and a damaged file of the cache is not used.
"""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

from datamap.digests import digest_of

MAX_BYTES = 1 << 30  # of all files together; the longest unused ones go first


def folder() -> Path:
    """Return the folder of the cache; only its owner may read it, as the texts of samples are in it."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "datamap")


def find(where: str, sha256: str, target: Path) -> bool:
    """Put the file of an artifact at `target`; return false if the cache does not have it.

    Args:
        where: address of the artifact. The file of another run is not used, even if it has the same digest: the run
            of a stranger who knows the digest of a secret file must not get that file.
        sha256: digest of the content.
        target: where the file is to be.
    """
    with contextlib.suppress(OSError, RuntimeError):
        file = folder() / digest_of(where, "\0", sha256)
        if digest_of(file) == sha256:
            os.utime(file)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
            return True
    return False


def keep(where: str, sha256: str, file: Path) -> None:
    """Keep a copy of an artifact's file; do without where the folder cannot be written."""
    with contextlib.suppress(OSError, RuntimeError):
        folder().mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder()) as unfinished:
            copy = Path(unfinished, sha256)
            shutil.copyfile(file, copy)
            copy.replace(folder() / digest_of(where, "\0", sha256))
        _prune()


def _prune() -> None:
    files = [
        (file.stat().st_mtime, file.stat().st_size, file) for file in folder().iterdir() if file.is_file()
    ]
    total = sum(size for _, size, _ in files)
    for _, size, file in sorted(files):
        if total <= MAX_BYTES:
            return
        file.unlink(missing_ok=True)
        total -= size
