"""Classes that look alike: "Yes" and "yes", "１" and "1", "ä" as one character and as two."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable

from datamap.data import names
from datamap.errors import first_few
from datamap.translations import Amount, translate

SHOWN = 5  # groups that are named
WHOLE = re.compile(r"0*([0-9]+)(\.0+)?")


def key(label: str) -> str:
    """Return what labels that look alike have in common.

    >>> key("Yes\\u200b") == key("ＹＥＳ"), key("01.0") == key("1")
    (True, True)
    """
    word = names.plain(label)
    number = WHOLE.fullmatch(word)
    return number[1] if number else word


def notes(labels: Iterable[str]) -> list[str]:
    """Return a note of the classes that look alike, how many rows they have, and what to do; [] where none do.

    Args:
        labels: class names, one per row.
    """
    counts, alike = Counter(labels), defaultdict(list)
    for label in counts:
        alike[key(label)].append(label)
    groups = [
        sorted(group, key=counts.__getitem__, reverse=True) for group in alike.values() if len(group) > 1
    ]
    if not groups:
        return []
    shown = first_few([_shown(group, counts) for group in groups], SHOWN)
    alike_note = "classes that look alike stay apart: {groups}; to join them, write them alike in the file"
    return [translate(alike_note, groups=shown)]


def _shown(group: list[str], counts: Counter) -> str:
    """Return a group's labels and their rows, with escapes where only the composition of letters differs."""
    composed = {unicodedata.normalize("NFC", label) for label in group}
    show = repr if len(composed) == len(group) else ascii
    return translate(" and ").join(
        translate("{label} ({rows})", label=show(label), rows=Amount(counts[label], "row")) for label in group
    )
