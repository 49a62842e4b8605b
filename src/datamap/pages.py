"""A page of ours as one HTML file: its scripts and style inside, and a policy that lets no other run."""

import base64
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from string import Template
from typing import Any


def assemble(folder: Path, scripts: Iterable[Path], data: dict[str, Any], lang: str = "en") -> bytes:
    """The bytes of `folder`/page.html with page.css, scripts and data in it.

    Args:
        folder: of page.html, a `string.Template`, and page.css.
        scripts: files that become one script, in this order: each sees what those before it declared.
        data: for the page, as JSON.
        lang: of the page, "en" or "zh".
    """
    script = "\n".join(file.read_text(encoding="utf-8") for file in scripts)
    style = (folder / "page.css").read_text(encoding="utf-8")
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


def _hash(text):
    """Of an inline script or style, for the policy."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
