"""Read the ids that an `ids=` key gives: a list, or a file with one id per line."""

from collections.abc import Iterable

from datamap.errors import ConfigError, DataError, raised_as
from datamap.tracking.store import opened


def given_ids(key: str, given: object, uri: str | None = None) -> list[str]:
    """Return the ids that a key gives, each once.

    Args:
        key: the key's name in messages.
        given: a list of ids, or the path of a file, which may be an artifact (`tracking.store.opened`).
        uri: store that the artifact is in; None = the environment's.

    Raises:
        ConfigError: no id is given, or the file is missing.
        DataError: the file is not UTF-8.
    """
    wanted = dict.fromkeys(_of_file(key, given, uri) if isinstance(given, str) else _of_list(key, given))
    if not wanted:
        raise ConfigError(
            f"{key}={given}: it names no sample; give [<id>,<id>,…], or a file with an id per line"
        )
    return list(wanted)


def text_of(ids: Iterable) -> str:
    """Return ids as the file that `given_ids` reads."""
    return "".join(f"{one}\n" for one in ids)


def _of_list(key: str, given: object) -> list[str]:
    if isinstance(given, list | tuple) and all(type(one) in (int, str) for one in given):
        return [str(one) for one in given]
    raise ConfigError(f"{key}={given}: give a list of ids, as in {key}=[7,12], or a file with an id per line")


def _of_file(key: str, path: str, uri: str | None) -> list[str]:
    given = f"{key}={path}"
    with opened(path, uri, given) as file, raised_as(DataError, given, OSError, UnicodeDecodeError):
        text = file.read_text(encoding="utf-8-sig")
    lines = text.split("\n")  # `splitlines` knows ends that ids may have
    return [line.strip() for line in lines if line.strip()]
