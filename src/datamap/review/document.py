"""The page as one HTML file: style and script inside, and a policy that lets the browser run nothing else."""

import base64
import hashlib
from pathlib import Path
from string import Template

PAGE = Path(__file__).parent / "page"
SCRIPTS: tuple[str, ...] = ()  # names in page/, without .js; one script, in this order


def document(lang: str) -> tuple[bytes, str]:
    """(the page's bytes, its Content-Security-Policy)."""
    script = "\n".join((PAGE / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS)
    style = (PAGE / "page.css").read_text(encoding="utf-8")
    hashes = {"script_hash": _hash(script), "style_hash": _hash(style)}
    page = Template((PAGE / "page.html").read_text(encoding="utf-8")).substitute(
        lang="zh-CN" if lang == "zh" else "en", style=style, script=script, **hashes
    )
    policy = (
        f"default-src 'none'; script-src 'sha256-{hashes['script_hash']}'; style-src 'sha256-{hashes['style_hash']}'; "
        "connect-src 'self'; img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )
    return page.encode(), policy


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
