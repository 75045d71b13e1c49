"""The product's own words: whole in every language, and nowhere else."""

import re
import string
from pathlib import Path
from typing import Any

import pytest

from shared import words
from shared.contract.importance import Importance
from shared.contract.outcomes import Channel, DeliveryState, NotificationState
from tests.support.service import ROOT

ENGLISH = words.in_language("en")
OTHERS = [language for language in words.LANGUAGES if language != "en"]


def keys(said: words.Words) -> dict[tuple[str, str], Any]:
    return {(section, key): text for section, texts in said.said.items() for key, text in texts.items()}


def places(text: str) -> set[str | None]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def every_text(said: Any) -> list[str]:
    return list(said.values()) if isinstance(said, dict) else [said]


@pytest.mark.parametrize("language", OTHERS)
def test_every_language_says_everything_with_the_same_values(language: str) -> None:
    english, other = keys(ENGLISH), keys(words.in_language(language))
    assert set(other) == set(english)
    for key, said in other.items():
        wanted = set().union(*map(places, every_text(english[key])))
        assert isinstance(said, dict) == isinstance(english[key], dict), key
        assert {frozenset(places(text)) for text in every_text(said)} <= {
            frozenset(wanted),
            frozenset(wanted - {"count"}),
        }
        assert all(bool(text) == bool(each) for text in every_text(said) for each in every_text(english[key])), key


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_what_is_counted_has_a_text_for_every_plural_of_its_language(language: str) -> None:
    said = words.in_language(language)
    categories = {*said.locale.plural_form.tags, "other"}
    counted = {key: set(texts) for key, texts in keys(said).items() if isinstance(texts, dict)}
    assert counted
    assert {key: found for key, found in counted.items() if found != categories} == {}


def test_what_is_named_by_the_contract_has_its_words() -> None:
    assert set(ENGLISH.said["importance"]) == set(Importance)
    assert set(ENGLISH.said["state"]) == set(NotificationState)
    assert set(ENGLISH.said["channel"]) == set(Channel)
    assert set(ENGLISH.said["delivery"]) == set(DeliveryState)


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        (None, "en"), ("de", "de"), ("de-AT", "de"), ("fr_CA", "fr"), ("es-419", "es"), ("en-GB", "en"), ("fi", "en"),
        ("../etc/passwd", "en"), ("", "en"), ("tlh", "en"), ("zh-Hant-TW", "en"),
    ],
)  # fmt: skip
def test_whose_language_is_not_spoken_is_spoken_to_in_english(locale: str | None, language: str) -> None:
    assert words.of(locale).language == language


@pytest.mark.parametrize(
    ("language", "count", "said"),
    [
        ("en", 0, "0 notifications"), ("en", 1, "1 notification"), ("en", 1_234, "1,234 notifications"),
        ("de", 1, "1 Benachrichtigung"), ("de", 1_234, "1.234 Benachrichtigungen"), ("fr", 0, "0 notification"),
        ("fr", 2, "2 notifications"), ("es", 1_000_000, "1.000.000 notificaciones"),
    ],
)  # fmt: skip
def test_numbers_and_plurals_are_those_of_the_language(language: str, count: int, said: str) -> None:
    found = words.in_language(language).counted("mail", "digest", count, name="Post")
    assert found.removeprefix("Post").lstrip(" :") == said


def test_values_are_no_templates() -> None:
    assert ENGLISH.text("mail", "greeting_by_name", name="{name} {0}") == "Hello {name} {0},"


TEMPLATES = sorted(each for each in (ROOT / "services").glob("*/templates/*") if each.suffix in {".html", ".txt"})


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_a_template_has_no_words_of_its_own(template: Path) -> None:
    text = re.sub(r"{%.*?%}|{{.*?}}|{#.*?#}|<style.*?</style>|<[^>]*>", "", template.read_text(), flags=re.DOTALL)
    assert re.findall(r"\w+", text) == []
