"""A font that has Chinese characters, where the machine has one."""

import functools
import unicodedata
import warnings
from collections.abc import Iterable

from matplotlib import font_manager

# What Debian, PyPI (mplfonts), Windows and macOS bring, best first.
CHINESE = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Source Han Sans SC", "Source Han Sans CN",
    "WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "Microsoft YaHei", "SimHei", "PingFang SC", "Hiragino Sans GB",
    "Heiti TC", "STHeiti", "Arial Unicode MS", "Droid Sans Fallback",
)  # fmt: skip
HINT = (
    "no font here has Chinese characters, the map will show boxes instead; "
    "install one: apt-get install fonts-noto-cjk (Debian), or pip install mplfonts && mplfonts init"
)


@functools.cache
def chinese() -> str | None:
    """Name of an installed font with Chinese characters, or None."""
    installed = {font.name for font in font_manager.fontManager.ttflist}
    found = next((name for name in CHINESE if name in installed), None)
    if found:
        return found
    # One that was installed after matplotlib had made its list.
    for path in font_manager.findSystemFonts():
        if any(word in path.lower() for word in ("cjk", "wqy", "hansans", "simhei")):
            font_manager.fontManager.addfont(path)
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return next((name for name in CHINESE if name in installed), None)


def families(texts: Iterable[str]) -> list[str]:
    """`font.family` for these texts; warns when they need a font that is not there.

    Latin letters stay in matplotlib's own font, so that a map looks the same with and without.
    """
    if not any(unicodedata.east_asian_width(char) in "WF" for text in texts for char in text):
        return ["DejaVu Sans"]
    name = chinese()
    if name is None:
        warnings.warn(HINT, stacklevel=2)
        return ["DejaVu Sans"]
    return ["DejaVu Sans", name]
