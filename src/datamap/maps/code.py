"""Which version of our code draws: a page made by another one is made anew."""

import hashlib
from pathlib import Path

from datamap import translations
from datamap.web import pages


def code_digest() -> str:
    """SHA-256 of all that makes a page of a map: our modules, scripts, styles and words."""
    folder = Path(__file__).parent
    scripts = Path(pages.__file__).parent.rglob("*.js")
    files = [*folder.rglob("*.py"), *folder.rglob("*.js"), *folder.rglob("page.*"), *scripts]
    digest = hashlib.sha256()
    for file in [Path(pages.__file__), Path(translations.__file__), *sorted(files)]:
        digest.update(file.read_bytes())
    return digest.hexdigest()
