"""Put several artifacts of a run into one ZIP file, so that a reader behind a server requests one file.

A member counts only while it has the digest that the run has of that artifact, so an outdated pack does no harm.
"""

import contextlib
import shutil
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from datamap.digests import digest_of

MAX_BYTES = 1 << 26  # of all members; beyond, the transfer takes longer than the requests
UNREADABLE = (OSError, KeyError, EOFError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error)


def write(pack: Path, files: Mapping[str, Path]) -> None:
    """Write files, {path of the artifact: file}, into a new pack."""
    with zipfile.ZipFile(pack, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as members:
        for path, file in files.items():
            members.write(file, path)


def take(pack: Path, path: str, sha256: str, target: Path) -> bool:
    """Put the artifact of a path at `target`; return false if the pack does not have it with this digest."""
    with contextlib.suppress(*UNREADABLE), zipfile.ZipFile(pack) as members:
        if members.getinfo(path).file_size <= MAX_BYTES:
            with members.open(path) as member, target.open("wb") as file:
                shutil.copyfileobj(member, file)
            return digest_of(target) == sha256
    return False
