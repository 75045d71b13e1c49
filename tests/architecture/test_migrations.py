"""Migrations are numbered, forward only, and none is overlooked."""

import ast
import re

from shared.postgres import migrate
from tests.support import repository

FOLDER = repository.ROOT / "shared" / "postgres" / "migrations"


def test_migrations_are_numbered_without_gap_from_one() -> None:
    assert [step.number for step in migrate.migrations()] == list(range(1, len(migrate.migrations()) + 1))


def test_every_file_of_the_folder_is_a_migration_that_is_applied() -> None:
    files = {path.name for path in FOLDER.iterdir() if path.is_file()}
    assert files == {step.name for step in migrate.migrations()}


def test_no_migration_ends_its_own_transaction() -> None:
    statement = re.compile(r"^\s*(BEGIN|COMMIT|ROLLBACK)\s*;", re.MULTILINE | re.IGNORECASE)
    assert [step.name for step in migrate.migrations() if statement.search(step.sql)] == []


def statements() -> list[tuple[str, str]]:
    """Every SQL statement in the services, with the module it stands in."""
    verb = re.compile(r"\b(SELECT|INSERT|UPDATE|DELETE|WITH)\b")
    return [
        (repository.name(path), node.value)
        for path in repository.python_files("services", "shared")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and verb.search(node.value)
    ]


def test_every_statement_asks_db_now_for_the_time() -> None:
    other_clocks = re.compile(r"(?<!db_)\bnow\s*\(|\bcurrent_(timestamp|date)\b|\bstatement_timestamp\b", re.IGNORECASE)
    found = statements()
    assert any("db_now()" in text for _, text in found)
    assert sorted({name for name, text in found if other_clocks.search(text)}) == []
