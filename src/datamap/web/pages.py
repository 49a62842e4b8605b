"""A page of ours as one HTML file: its scripts and style inside, and a policy that lets no other run."""

import base64
import hashlib
import json
import re
import zlib
from collections.abc import Iterable
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

IMPORT = re.compile(r'^import \{[^}]*\} from "([^"]+)";\n', re.MULTILINE)


def assemble(folder: Path, scripts: Iterable[Path], data: dict[str, Any], lang: str = "en") -> bytes:
    """The bytes of `folder`/page.html with page.css, scripts and data in it.

    Args:
        folder: of page.html, a `string.Template`, and page.css.
        scripts: JavaScript modules; what they import comes with them (`bundled`).
        data: for the page, as JSON.
        lang: of the page, "en" or "zh".
    """
    script, style = bundled(scripts), (folder / "page.css").read_text(encoding="utf-8")
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


def bundled(scripts: Iterable[Path]) -> str:
    """JavaScript modules and what they import as one script, each module once and after those that it imports.

    A module says `import { a, b } from "./file.js";` and `export` before what others use. All share one scope: no two
    may declare the same name at their top level, or the browser refuses the page.
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


def packed(values: np.ndarray, dtype: str) -> str:
    """A column for `unpack` of unpack.js: the values' bytes in planes, which deflate better, deflated, as base64."""
    with np.errstate(over="ignore"):  # too large for single precision: infinite
        column = np.ascontiguousarray(values, dtype).reshape(-1)
    return _deflated(column.view(np.uint8).reshape(-1, column.itemsize).T.tobytes(), zlib.Z_RLE)


def packed_json(value: Any) -> str:
    """Something for `unpackJson` of unpack.js."""
    return _deflated(
        json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"), zlib.Z_DEFAULT_STRATEGY
    )


def _deflated(content, strategy):
    """Deflated, as base64. Numbers repeat no strings: Z_RLE makes them smallest, in a third of the time (measured)."""
    deflate = zlib.compressobj(5, zlib.DEFLATED, zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, strategy)
    return base64.b64encode(deflate.compress(content) + deflate.flush()).decode()


def _hash(text):
    """Of an inline script or style, for the policy."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
