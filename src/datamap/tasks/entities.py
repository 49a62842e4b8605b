"""Name what is wrong with the tag of a token, where tags are those of entities.

A tag is O, or a place in an entity and the entity's type: B-PER. The places are those of BIO (IOB1, IOB2), BIOES,
BILOU and BMES.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

OUTSIDE = "O"
BIO = {"B": "B", "S": "B", "U": "B", "I": "I", "M": "I", "E": "I", "L": "I"}
MISSED, INVENTED = "; a missed entity", "; no entity"
TYPE, BORDER = "; an entity of another type", "; another border of the entity"
KINDS = (MISSED, INVENTED, TYPE, BORDER)


def parts(tag: str) -> tuple[str, str]:
    """Return the place in the entity (B, I, …, or O) and the type of a tag.

    >>> parts("B-PER"), parts("O")
    (('B', 'PER'), ('O', ''))
    """
    place, _, kind = tag.partition("-")
    return place, kind


def are_entities(names: Sequence[str]) -> bool:
    """Tell whether tags are those of entities: O, and types with a place before them."""
    return OUTSIDE in names and all(
        name == OUTSIDE or (len(name) > 2 and name[1] == "-" and name[0] in BIO) for name in names
    )


def without_place(names: Iterable[str]) -> list[str]:
    """Return the tags that have no place in an entity where others have one, as people forget a B- or mistype it.

    >>> without_place(["O", "B-PER", "I-PER", "LOC"]), without_place(["NN", "VB"])
    (['LOC'], [])
    """
    bare = [name for name in names if not are_entities((OUTSIDE, name))]
    return bare if any(name != OUTSIDE and name not in bare for name in names) else []


def in_bio(tags: Sequence[str]) -> list[str]:
    """Return tags of entities with the two places of BIO, which say the same of type and borders.

    >>> in_bio(["B-PER", "M-PER", "E-PER", "S-LOC", "O", "U-ORG"])
    ['B-PER', 'I-PER', 'I-PER', 'B-LOC', 'O', 'B-ORG']
    """
    return [tag if tag == OUTSIDE else f"{BIO[tag[0]]}{tag[1:]}" for tag in tags]


def kinds(
    given: np.ndarray, proposed: np.ndarray, names: Sequence[str], follows: np.ndarray
) -> Callable[[np.ndarray], list[str]]:
    """Return what names the kinds of errors in the tags of rows if the proposed ones are right; "" where both agree.

    A token that gets or loses the tag of an entity whose other tokens keep theirs has another border; it is no entity
    of its own that is missed or invented.

    Args:
        given: int (tokens,), class indices.
        proposed: int (tokens,).
        names: tags by index.
        follows: bool (tokens,), true where a token comes right after the one before it, in the same sentence.

    >>> names, given, proposed = ["O", "B-PER", "I-PER"], np.array([1, 0, 0, 0]), np.array([1, 2, 0, 1])
    >>> kinds(given, proposed, names, np.array([False, True, True, True]))(np.arange(4))
    ['', '; another border of the entity', '', '; a missed entity']
    """
    at_border = _at_border(given, proposed, names, follows)

    def of(rows: np.ndarray) -> list[str]:
        pairs = zip(given[rows].tolist(), proposed[rows].tolist(), at_border[rows].tolist(), strict=True)
        return [BORDER if border else _kind(names[a], names[b]) for a, b, border in pairs]

    return of


def _kind(given: str, proposed: str) -> str:
    if given == proposed:
        return ""
    if OUTSIDE in (given, proposed):
        return MISSED if given == OUTSIDE else INVENTED
    return TYPE if parts(given)[1] != parts(proposed)[1] else BORDER


def _at_border(
    given: np.ndarray, proposed: np.ndarray, names: Sequence[str], follows: np.ndarray
) -> np.ndarray:
    """Tell which tokens join or leave an entity of which a token stays, bool (tokens,)."""
    types = [parts(name)[1] for name in names]
    known = {kind: number for number, kind in enumerate(["", *sorted({*types} - {""})])}
    type_of = np.array([known[kind] for kind in types])
    goes_on = np.array([name != OUTSIDE and BIO[name[0]] == "I" for name in names])
    before, after = type_of[given], type_of[proposed]
    kind = np.maximum(before, after)
    stays = (before == after) & (kind > 0)
    changes = (before != after) & (np.minimum(before, after) == 0)
    # Two neighbors belong to one entity if the second continues it, before or after the change.
    linked = follows & (goes_on[given] | goes_on[proposed]) & (kind > 0)
    linked[1:] &= kind[1:] == kind[:-1]
    linked[:1] = False
    previous = linked & changes & np.roll(changes, 1)
    run = np.cumsum(~previous)  # changed neighbors of one entity have one number
    touches = linked & changes & np.roll(stays, 1)
    touches |= changes & np.roll(linked & stays, -1)
    touching = np.zeros(len(run) + 1, bool)
    touching[run[touches]] = True
    return changes & touching[run]
