"""Name what is wrong with the tag of a token, where tags are those of entities.

A tag is O, or a place in an entity and the entity's type: B-PER. The places are those of BIO (IOB1, IOB2), BIOES,
BILOU and BMES.
"""

from collections.abc import Iterable, Sequence

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


def kinds(given: np.ndarray, proposed: np.ndarray, names: Sequence[str]) -> list[str]:
    """Return which kind of error each token's tag has if the proposed one is right; "" where both are the same.

    Args:
        given: int (tokens,), class indices.
        proposed: int (tokens,).
        names: tags by index.
    """
    known = {
        (a, b): _kind(names[a], names[b]) for a, b in {*zip(given.tolist(), proposed.tolist(), strict=True)}
    }
    return [known[pair] for pair in zip(given.tolist(), proposed.tolist(), strict=True)]


def _kind(given: str, proposed: str) -> str:
    if given == proposed:
        return ""
    if OUTSIDE in (given, proposed):
        return MISSED if given == OUTSIDE else INVENTED
    return TYPE if parts(given)[1] != parts(proposed)[1] else BORDER
