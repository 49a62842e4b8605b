"""Compute SHA-256 digests."""

import hashlib
from pathlib import Path


def digest_of(*contents: bytes | str | Path) -> str:
    """Return the SHA-256 of bytes, texts in UTF-8 and whole files, one after the other, in hex.

    >>> digest_of(b"a", "b") == digest_of("ab")
    True
    """
    digest = hashlib.sha256()
    for content in contents:
        if not isinstance(content, Path):
            digest.update(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)
            continue
        with content.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
