"""Find classes that look alike: "Yes" and "yes", "１" and "1", "ä" as one character and as two."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from datamap.data import names
from datamap.errors import first_few
from datamap.translations import Amount, translate

MAX_SHOWN = 5  # groups in a message
WHOLE = re.compile(r"0*([0-9]+)(\.0+)?")


def key(label: str) -> str:
    r"""Return a key that labels that look alike share.

    >>> key("Yes\u200b") == key("ＹＥＳ"), key("01.0") == key("1")
    (True, True)
    """
    word = names.plain(label)
    number = WHOLE.fullmatch(word)
    return number[1] if number else word


def notes(labels: Iterable[str] | Mapping[str, int], unit: str = "row") -> list[str]:
    """Return a note on the classes that look alike, with their numbers of rows; [] if there are none.

    Args:
        labels: class names, one per row, or {class name: number of its rows}.
        unit: what has a label, "row" or "token".
    """
    counts, alike = Counter(labels), defaultdict(list)
    for label in counts:
        alike[key(label)].append(label)
    groups = [
        sorted(group, key=counts.__getitem__, reverse=True) for group in alike.values() if len(group) > 1
    ]
    if not groups:
        return []
    shown = first_few([_shown(group, counts, unit) for group in groups], MAX_SHOWN)
    alike_note = (
        "similar class names stay separate: {groups}; to merge them, write them the same way in the file"
    )
    return [translate(alike_note, groups=shown)]


def shown(labels: Iterable[str], counts: Mapping[str, int], unit: str) -> str:
    """Return some labels with their numbers of rows."""
    told = (translate("{label} ({rows})", label=label, rows=Amount(counts[label], unit)) for label in labels)
    return first_few(list(told), MAX_SHOWN)


def _shown(group: list[str], counts: Counter, unit: str) -> str:
    """Return a group's labels with their rows; escaped if they differ only in how characters are composed."""
    composed = {unicodedata.normalize("NFC", label) for label in group}
    show = repr if len(composed) == len(group) else ascii
    return translate(" and ").join(
        translate("{label} ({rows})", label=show(label), rows=Amount(counts[label], unit)) for label in group
    )
