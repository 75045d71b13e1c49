"""The product's own words in the languages it speaks: a file of words a language beside this module, and no others.

A text names what is filled in as `{name}`. A table of texts is one for each plural category of CLDR that the language
has, and its `{count}` is written as the language writes numbers.
"""

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from babel import Locale, UnknownLocaleError
from babel.numbers import format_decimal

LANGUAGES = ("en", "de", "fr", "es")
_FALLBACK = "en"


@dataclass(frozen=True, slots=True)
class Words:
    """What the product says in one language; `said` holds texts by section and key, as in its file.

    `language` is its tag, and `direction` how it is written, as HTML's `lang` and `dir` want them.
    """

    locale: Locale
    said: Mapping[str, Mapping[str, Any]]
    language: str
    direction: str

    def text(self, section: str, key: str, **values: str) -> str:
        """A text with its values."""
        return str(self.said[section][key]).format(**values)

    def counted(self, section: str, key: str, count: int, **values: str) -> str:
        """The text for a number of things, with its values and `count`."""
        texts: Mapping[str, str] = self.said[section][key]
        return texts[self.locale.plural_form(count)].format(count=self.number(count), **values)

    def number(self, count: int) -> str:
        """A number as the language writes it."""
        return str(format_decimal(count, locale=self.locale))


@functools.lru_cache(maxsize=1024)
def language_of(locale: str | None) -> str:
    """The language that is spoken to somebody of this locale (BCP 47 or POSIX): English where theirs is not here."""
    try:
        language = Locale.parse(locale.replace("-", "_")).language if locale else _FALLBACK
    except (ValueError, UnknownLocaleError):
        return _FALLBACK
    return language if language in LANGUAGES else _FALLBACK


def of(locale: str | None) -> Words:
    """The words for somebody of this locale."""
    return in_language(language_of(locale))


@functools.cache
def in_language(language: str) -> Words:
    """The words of one of `LANGUAGES`."""
    source = (resources.files(__name__) / f"{language}.toml").read_text("utf-8")
    locale = Locale(language)
    return Words(locale, tomllib.loads(source), str(locale.language), str(locale.text_direction))
