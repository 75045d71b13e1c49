"""Migrations are applied in the order of their numbers, so each number is one file's."""

import re

from shared.postgres import migrate

NAME = re.compile(r"\d{4}_(expand|contract)_[a-z0-9_]+")


def test_migrations_are_numbered_without_gap_and_say_whether_they_add_or_take_away() -> None:
    found = migrate.migrations()
    assert [each.number for each in found] == list(range(1, len(found) + 1))
    assert [each.name for each in found if not NAME.fullmatch(each.name.removesuffix(".sql"))] == []
