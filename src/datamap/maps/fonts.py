"""Find an installed font that has Chinese characters."""

import functools
import unicodedata
import warnings
from collections.abc import Iterable

from matplotlib import font_manager

from datamap.translations import translate

# Fonts of Debian, PyPI (mplfonts), Windows and macOS, best first.
CHINESE = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Source Han Sans SC", "Source Han Sans CN",
    "WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "Microsoft YaHei", "SimHei", "PingFang SC", "Hiragino Sans GB",
    "Heiti TC", "STHeiti", "Arial Unicode MS", "Droid Sans Fallback",
)  # fmt: skip
HINT = (
    "no installed font has Chinese characters, so the map shows boxes; "
    "install one: apt-get install fonts-noto-cjk (Debian), or pip install mplfonts && mplfonts init"
)


@functools.cache
def chinese() -> str | None:
    """Return the name of an installed font with Chinese characters, or None."""
    found = _listed()
    if found:
        return found
    # A font may have been installed after matplotlib made its list.
    for path in font_manager.findSystemFonts():
        if any(word in path.lower() for word in ("cjk", "wqy", "hansans", "simhei")):
            font_manager.fontManager.addfont(path)
    return _listed()


def _listed() -> str | None:
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return next((name for name in CHINESE if name in installed), None)


def families(texts: Iterable[str]) -> list[str]:
    """Return `font.family` for these texts; warn when they need a font that is not installed.

    Latin letters keep matplotlib's own font, so that a map looks the same with and without Chinese texts.
    """
    if not any(unicodedata.east_asian_width(char) in "WF" for text in texts for char in text):
        return ["DejaVu Sans"]
    name = chinese()
    if name is None:
        warnings.warn(translate(HINT), stacklevel=2)
        return ["DejaVu Sans"]
    return ["DejaVu Sans", name]
