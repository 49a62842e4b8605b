"""The pages of README and docs, read."""

import re

from conftest import ROOT

BLOCK = r"^```(\w+[^\n]*)\n(.*?)^```"


def text_of(name):
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(name):
    """Fenced blocks of code, in order: [(info, text), …]."""
    return re.findall(BLOCK, text_of(name), re.MULTILINE | re.DOTALL)
