"""Build the review page, one HTML file without data, which requests the data from the server."""

from pathlib import Path

from datamap.translations import chinese
from datamap.web import pages

PAGE = Path(__file__).parent / "page"
FRAMED = "frame-ancestors 'none'"  # only a header can set this policy; page.html has the others


def page(lang: str = "en") -> bytes:
    """Return the page as an HTML file in UTF-8.

    Args:
        lang: language of the page, "en" or "zh".
    """
    words = chinese("shown") if lang == "zh" else {}
    return pages.assemble(PAGE, [PAGE / "main.js"], {"words": words}, lang)
