"""The review page: one HTML file without data, which asks the server for what it shows."""

from pathlib import Path

from datamap.translations import shown
from datamap.web import pages

PAGE = Path(__file__).parent / "page"
FRAMED = "frame-ancestors 'none'"  # the one policy that only a header can say; the others are in page.html


def page(lang: str = "en") -> bytes:
    """The page as the bytes of an HTML file.

    Args:
        lang: of the words that are ours, "en" or "zh".
    """
    words = shown.ZH if lang == "zh" else {}
    return pages.assemble(PAGE, [PAGE / "main.js"], {"words": words}, lang)
