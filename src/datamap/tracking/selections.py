"""Find the samples that an `ids=` key names: by a list of ids, or by a file with one id per line."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from datamap.errors import ConfigError, DataError, first_few, raised_as
from datamap.tracking.store import opened


def chosen(key: str, given: object, known: Iterable, where: str, uri: str | None = None) -> np.ndarray:
    """Tell which of the known ids a key names.

    Args:
        key: the key's name in messages.
        given: a list of ids, or the path of a file, which may be an artifact (`tracking.store.opened`).
        known: ids of the samples there are.
        where: what has these samples, for messages.
        uri: store that the artifact is in; None = the environment's.

    Returns:
        bool (samples,), True for a sample that is named.

    Raises:
        ConfigError: no id is given, or the file is missing.
        DataError: the file is not UTF-8, or no sample has a given id.
    """
    wanted = dict.fromkeys(_of_file(key, given, uri) if isinstance(given, str) else _of_list(key, given))
    if not wanted:
        raise ConfigError(
            f"{key}={given}: it names no sample; give [<id>,<id>,…], or a file with an id per line"
        )
    ids = [str(one) for one in known]
    unknown = wanted.keys() - set(ids)
    if unknown:
        missing = first_few([one for one in wanted if one in unknown])
        raise DataError(f"{key}: {where} has no sample {missing}")
    return np.array([one in wanted for one in ids], bool)


def text_of(ids: Iterable) -> str:
    """Return ids as the file that `chosen` reads."""
    return "".join(f"{one}\n" for one in ids)


def _of_list(key: str, given: object) -> list[str]:
    if isinstance(given, list | tuple) and all(type(one) in (int, str) for one in given):
        return [str(one) for one in given]
    raise ConfigError(f"{key}={given}: give a list of ids, as in {key}=[7,12], or a file with an id per line")


def _of_file(key: str, path: str, uri: str | None) -> list[str]:
    with opened(path, uri) as file:
        if not file.is_file():
            raise ConfigError(f"{key}={path}: no such file (looked in {Path.cwd()})")
        with raised_as(DataError, f"{key}={path}", OSError, UnicodeDecodeError):
            lines = file.read_text(encoding="utf-8-sig").splitlines()
    return [line.strip() for line in lines if line.strip()]
