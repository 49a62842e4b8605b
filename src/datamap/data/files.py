"""Read files as bytes, and decode them; refuse what is too large, endless or not text."""

import codecs
import re
import stat
import unicodedata
from pathlib import Path
from typing import NamedTuple

from datamap.data.advice import advice
from datamap.errors import ConfigError, DataError
from datamap.translations import translate

# A larger file is refused before its rows are made, as they would not fit into the memory of most machines.
MAX_BYTES = 1 << 30  # of a file, and of its content when unpacked
MAX_ROWS = 5_000_000
MAX_CELLS = 10 * MAX_ROWS
# The mark of UTF-32 begins like that of UTF-16, so it comes first.
MARKS = {
    codecs.BOM_UTF8: "UTF-8",
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
# Files of other kinds, which people name like texts.
PACKED = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
}
SAMPLE = 1 << 16  # bytes from which the encoding is guessed
MIN_COMMON = 0.9  # share of a Chinese text's characters that are among the 7,445 of GB 2312
UNDECODED = re.compile("[\udc80-\udcff]")
NOT_ASCII = re.compile("[^\x00-\x7f\udc80-\udcff]")


class Text(NamedTuple):
    """Hold the text of a file, a note that names its encoding if that is not UTF-8, and the encoding."""

    text: str
    notes: list[str]
    encoding: str


def content(path: Path) -> bytes:
    """Return the bytes of a regular file; refuse pipes and devices, which may never end.

    Raises:
        DataError: the file does not exist, is not regular, too large or unreadable.
    """
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise DataError(f"{path} is not a regular file; copy its rows into one")
        check_size(found.st_size, path)
        with path.open("rb") as file:  # files of /proc have size 0, and some never end
            return file.read(found.st_size)
    except (FileNotFoundError, ValueError) as error:
        raise DataError(f"{path}: no such file (looked in {Path.cwd()})") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error


def check_size(size: int, path: str | Path) -> None:
    """Raise DataError if a file has more than `MAX_BYTES` bytes."""
    if size > MAX_BYTES:
        raise DataError(
            f"{path} has {size / 2**30:,.1f} GiB; at most {MAX_BYTES >> 30} GiB are read: split the file"
        )


def check_rows(rows: int, cells: int, path: str | Path) -> None:
    """Raise DataError for more than `MAX_ROWS` rows or `MAX_CELLS` cells."""
    for count, limit, what in ((rows, MAX_ROWS, "rows"), (cells, MAX_CELLS, "cells")):
        if count > limit:
            raise DataError(
                f"{path} has {count:,} {what}; at most {limit:,} are read: train on a part of them"
            )


def decoded(raw: bytes, name: str | Path, encoding: str | None = None) -> Text:
    """Decode bytes by `encoding`; without it by UTF-8, or by UTF-16, UTF-32 or GB18030 if that is certain.

    Bytes that are not UTF-8 become lone surrogates, so that messages can name their rows.

    Raises:
        ConfigError: Python does not know the encoding.
        DataError: the bytes are not in the given encoding, or in that of their byte-order mark, or are packed.
    """
    packed = next((kind for start, kind in PACKED.items() if raw.startswith(start)), None)
    if packed:
        raise DataError(f"{name} is compressed ({packed}); decompress it first")
    mark = next((mark for mark in MARKS if raw.startswith(mark)), None)
    if encoding is not None:
        text = _strictly(raw, name, encoding).removeprefix("\ufeff")
        return Text(text, [], "utf-8-sig" if mark == codecs.BOM_UTF8 else encoding)
    if mark not in (None, codecs.BOM_UTF8):
        text = _strictly(raw, name, MARKS[mark]).removeprefix("\ufeff")
        return Text(text, [translate("read as {encoding}", encoding=MARKS[mark])], MARKS[mark].lower())
    text = raw.decode("utf-8-sig", "surrogateescape")
    found = _utf16(raw) if "\0" in text else _chinese(raw, text)
    if found is None:
        return Text(text, [], "utf-8-sig" if mark else "utf-8")
    note = advice("read as {encoding}; to force another encoding: data.encoding=", "read as {encoding}")
    return Text(raw.decode(found), [translate(note, encoding=found.upper())], found)


def _strictly(raw: bytes, name: str | Path, encoding: str) -> str:
    try:
        if codecs.lookup(encoding).name == "utf-8":
            return raw.decode("utf-8-sig", "surrogateescape")
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{name}, line {line}: not {encoding} ({error.reason} at byte {error.start}); "
            + advice("name the file's encoding with data.encoding=", "save it as UTF-8")
        ) from error
    except (LookupError, ValueError) as error:
        raise ConfigError(
            f"data.encoding={encoding!r} is unknown; choose utf-8, gb18030, big5, utf-16, cp1252 or the like"
        ) from error


def _utf16(raw: bytes) -> str | None:
    """Return the UTF-16 encoding that turns bytes without a mark into lines of known characters, or None."""
    for encoding in ("utf-16-le", "utf-16-be"):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        lines = "\n" in text and any(delimiter in text for delimiter in "\t,;")
        if (
            lines
            and "\0" not in text
            and not {unicodedata.category(c) for c in set(text)} & {"Cn", "Co", "Cs"}
        ):
            return encoding
    return None


def _chinese(raw: bytes, text: str) -> str | None:
    """Return "gb18030" if bytes are certainly a Chinese text in it or its subsets GBK and GB 2312, else None.

    Args:
        raw: the bytes.
        text: the bytes decoded as UTF-8; most characters that are not ASCII must have failed.
    """
    if not UNDECODED.search(text):
        return None
    wrong = len(UNDECODED.findall(text))
    if wrong <= len(NOT_ASCII.findall(text)):
        return None
    import charset_normalizer

    try:
        chinese = "".join(NOT_ASCII.findall(raw.decode("gb18030")))
    except UnicodeDecodeError:
        return None
    common = chinese.encode("gb2312", "ignore").decode("gb2312")
    lines = (line for line in raw.split(b"\n") if not line.isascii())
    sample = b""
    for line in lines:
        sample += line + b"\n"
        if len(sample) > SAMPLE:
            break
    guess = charset_normalizer.from_bytes(sample).best()
    certain = guess is not None and guess.encoding in ("gb18030", "gbk", "gb2312")
    return "gb18030" if certain and len(common) >= MIN_COMMON * len(chinese) else None
