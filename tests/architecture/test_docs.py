"""The documentation holds together: links lead somewhere, decisions are numbered and say what they must."""

import re
from pathlib import Path

import pytest

from tests.support import repository

PAGES = [path for path in repository.tracked() if path.suffix == ".md"]
DECISIONS = sorted((repository.ROOT / "docs" / "decisions").glob("[0-9]*.md"))
SECTIONS = ("**Status:**", "**Context.**", "**Decision.**", "**Consequences.**")

_LINK = re.compile(r"\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`]*`")


def links(page: Path) -> list[str]:
    prose = _CODE.sub("", _FENCE.sub("", page.read_text()))
    return [target for target in _LINK.findall(prose) if "://" not in target and not target.startswith("#")]


@pytest.mark.parametrize("page", PAGES, ids=repository.name)
def test_links_within_the_repository_lead_to_a_file(page: Path) -> None:
    assert [target for target in links(page) if not (page.parent / target.split("#")[0]).exists()] == []


def test_decisions_are_numbered_without_gap() -> None:
    assert [path.name[:4] for path in DECISIONS] == [f"{number:04d}" for number in range(1, len(DECISIONS) + 1)]


@pytest.mark.parametrize("record", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_says_its_status_context_decision_and_consequences_and_is_listed(record: Path) -> None:
    text = record.read_text()
    assert [section for section in SECTIONS if section not in text] == []
    assert text.startswith(f"# {record.name[:4]}: ")
    assert record.name in links(record.parent / "README.md")
