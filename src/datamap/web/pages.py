"""Assemble a page as one HTML file that holds its scripts and style and, by its policy, runs no others."""

import base64
import hashlib
import itertools
import json
import re
import zlib
from collections.abc import Iterable
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
    page = Template((folder / "page.html").read_text(encoding="utf-8")).substitute(
        lang="zh-CN" if lang == "zh" else "en",
        style=style,
        script=script,
        style_hash=_hash(style),
        script_hash=_hash(script),
        # Inside <script> nothing but "<" can end the data or begin a tag.
        data=json.dumps(data, ensure_ascii=False).replace("<", "\\u003c"),
    )
    return page.encode("utf-8", "replace")


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
    return _compress([column.view(np.uint8).reshape(-1, column.itemsize).T.tobytes()], zlib.Z_RLE)


def pack_json(value: Any) -> str:
    """Compress a value as JSON for `unpackJson` in unpack.js, as base64."""
    return _compress([_json(value)], zlib.Z_DEFAULT_STRATEGY)


def pack_list(parts: Iterable[list]) -> str:
    """Compress the parts of a list as `pack_json` compresses the list; memory holds one of them.

    >>> pack_list([["a"], ["b", "c"]]) == pack_json(["a", "b", "c"])
    True
    """
    items = (_json(part)[1:-1] for part in parts if part)
    between = (part for index, item in enumerate(items) for part in ((b", ", item) if index else (item,)))
    return _compress(itertools.chain([b"["], between, [b"]"]), zlib.Z_DEFAULT_STRATEGY)


def _json(value):
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")


def _compress(contents, strategy):
    """Compress bytes with deflate and encode them as base64.

    Numbers contain no repeated strings: Z_RLE compresses them best, in a third of the time (measured).
    """
    deflate = zlib.compressobj(5, zlib.DEFLATED, zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, strategy)
    found = b"".join(map(deflate.compress, contents)) + deflate.flush()
    return base64.b64encode(found).decode()


def _hash(text):
    """Return the hash of an inline script or style for the page's policy."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
