"""Assemble a page as one HTML file that holds its scripts and style and, by its policy, runs no others."""

import base64
import hashlib
import io
import itertools
import json
import re
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

THEME = Path(__file__).parent / "theme.css"  # colors, light and dark
IMPORT = re.compile(r'^import \{[^}]*\} from "([^"]+)";\n', re.MULTILINE)


def assemble(folder: Path, scripts: Iterable[Path], data: dict[str, Any], lang: str = "en") -> bytes:
    """Fill `folder`/page.html with the theme, page.css, scripts and data; return its bytes.

    Args:
        folder: holds page.html, a `string.Template`, and page.css.
        scripts: JavaScript modules; `bundle` adds what they import.
        data: the page's data, written as JSON.
        lang: language of the page, "en" or "zh".
    """
    script = bundle(scripts)
    style = "".join(file.read_text(encoding="utf-8") for file in (THEME, folder / "page.css"))
    before, after = (folder / "page.html").read_text(encoding="utf-8").split("$data")
    values = {
        "lang": "zh-CN" if lang == "zh" else "en",
        "style": style,
        "script": script,
        "style_hash": _hash(style),
        "script_hash": _hash(script),
    }
    # Part by part, as data of 46 MB would be in memory several times. Inside <script> nothing but "<" can end the data
    # or begin a tag.
    written = (part.replace("<", "\\u003c") for part in json.JSONEncoder(ensure_ascii=False).iterencode(data))
    parts = itertools.chain(
        [Template(before).substitute(values)], written, [Template(after).substitute(values)]
    )
    page = io.BytesIO()
    page.writelines(part.encode("utf-8", "replace") for part in parts)
    return page.getvalue()


def bundle(scripts: Iterable[Path]) -> str:
    """Join JavaScript modules and what they import into one script, each module after those that it imports.

    A module imports with `import { a, b } from "./file.js";` and puts `export` before what others use. All modules
    share one scope, so no two may declare the same name at their top level, or the browser rejects the script.
    """
    done: dict[Path, str] = {}
    seen: set[Path] = set()

    def visit(path: Path) -> None:
        if path in seen:
            return
        seen.add(path)
        text = path.read_text(encoding="utf-8")
        for name in IMPORT.findall(text):
            visit((path.parent / name).resolve())
        done[path] = re.sub("^export ", "", IMPORT.sub("", text), flags=re.MULTILINE)

    for script in scripts:
        visit(script.resolve())
    return '"use strict";\n' + "\n".join(done.values())


def pack(values: np.ndarray, dtype: str) -> str:
    """Compress a column for `unpack` in unpack.js, as base64.

    The first bytes of all values come first, then the second ones, and so on: such planes compress better.
    """
    with np.errstate(over="ignore"):  # numbers too large for single precision become infinite
        column = np.ascontiguousarray(values, dtype).reshape(-1)
    # Numbers contain no repeated strings: Z_RLE compresses them best, in a third of the time (measured).
    stream = _Stream(zlib.Z_RLE)
    stream.add(column.view(np.uint8).reshape(-1, column.itemsize).T.tobytes())
    return stream.text()


def pack_lists(parts: Iterable[Mapping[str, list]]) -> dict[str, str]:
    """Compress lists as JSON for `unpackJson` in unpack.js, as base64; they come in parts, none of them empty.

    Memory holds one part.

    >>> pack_lists([{"x": ["a"]}, {"x": ["b", "c"]}]) == pack_lists([{"x": ["a", "b", "c"]}])
    True
    """
    streams: dict[str, _Stream] = {}
    for part in parts:
        for name, items in part.items():
            before = b", " if name in streams else b"["
            stream = streams.setdefault(name, _Stream(zlib.Z_DEFAULT_STRATEGY))
            content = json.dumps(items, ensure_ascii=False).encode("utf-8", "replace")
            stream.add(before + content[1:-1])
    for stream in streams.values():
        stream.add(b"]")
    return {name: stream.text() for name, stream in streams.items()}


class _Stream:
    """Compress bytes with deflate and encode them as base64."""

    def __init__(self, strategy: int) -> None:
        self._deflate = zlib.compressobj(5, zlib.DEFLATED, zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, strategy)
        self._parts: list[bytes] = []

    def add(self, content: bytes) -> None:
        self._parts.append(self._deflate.compress(content))

    def text(self) -> str:
        return base64.b64encode(b"".join([*self._parts, self._deflate.flush()])).decode()


def _hash(text):
    """Return the hash of an inline script or style for the page's policy."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
