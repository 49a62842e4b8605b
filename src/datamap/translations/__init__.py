"""Write all that people read in English, or in Chinese by `lang=zh` or the environment's DATAMAP_LANG.

A text is a template in English, which is also the key of its Chinese translation in `zh.yaml`. Texts without one stay
English: names, messages of libraries, and errors.
"""

import functools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import yaml

from datamap.errors import ConfigError, counted, shortened

LANGUAGES = ("en", "zh")
AUTO = "auto"  # the run's language, else that of VARIABLE, else English
VARIABLE = "DATAMAP_LANG"
YAML_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# Language of the lines that this process prints, where a command or a run chose one.
_spoken: str | None = None


class Amount(NamedTuple):
    """Represent a number with its noun as a field of a template, as each language writes it in its own way."""

    number: int
    thing: str


class Phrase(NamedTuple):
    """Represent a text of ours with its {fields}, which is translated where it is said."""

    text: str
    values: Mapping[str, object] = {}


@functools.cache
def chinese(*parts: str) -> dict[str, str]:
    """Return {English: Chinese} of these parts of `zh.yaml`: `shown` (maps, pages, descriptions), `lines` (printed)."""
    content = Path(__file__).with_name("zh.yaml").read_bytes()
    catalog = yaml.load(content, YAML_LOADER)
    return {english: text for part in parts for english, text in catalog[part].items()}


def amount(number: int, thing: str, lang: str) -> str:
    """Return a number with its noun.

    >>> amount(1, "sample", "en"), amount(2000, "sample", "en"), amount(2000, "sample", "zh")
    ('1 sample', '2,000 samples', '2,000 个样本')
    """
    return counted(number, thing) if lang == "en" else word(f"{{total}} {thing}s", lang, total=f"{number:,}")


def word(text: str, lang: str, **values: object) -> str:
    """Return a text of ours in language `lang`, its {fields} filled in; what has no translation stays.

    >>> word("{samples} reviewed", "en", samples=Amount(1, "sample"))
    '1 sample reviewed'
    """
    translated = chinese("shown", "lines").get(text, text) if lang == "zh" else text
    said = {name: _in(lang, value) for name, value in values.items()}
    return translated.format(**said) if said else translated


def _in(lang: str, value: object) -> object:
    if isinstance(value, Amount):
        return amount(*value, lang)
    return word(value.text, lang, **value.values) if isinstance(value, Phrase) else value


def translate(text: str, **values: object) -> str:
    """Return a text of ours in the language of this process's lines, its {fields} filled in."""
    return word(text, spoken() or "en", **values)


def speak(lang: str = AUTO) -> None:
    """Choose the language of this process's lines: "en", "zh", or "auto", which leaves it to DATAMAP_LANG.

    Raises:
        ConfigError: DATAMAP_LANG is none of them.
    """
    global _spoken
    _spoken = None if lang == AUTO else lang
    if (spoken() or "en") not in LANGUAGES:
        raise ConfigError(f"{VARIABLE}={shortened(spoken())}: choose {' or '.join(LANGUAGES)}")


def spoken() -> str | None:
    """Return the language that a command, a run or DATAMAP_LANG chose; None where none did, which means English."""
    return _spoken or os.environ.get(VARIABLE) or None
