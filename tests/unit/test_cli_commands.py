"""Rules of single commands that need nobody else."""

from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
import typer
from typer.main import get_command

from cli import dead_letters, send
from cli.app import build
from cli.asking import Wanted
from cli.errors import CommandError, ExitCode, told
from deploy.reference import commands
from shared.client import RefusedError, UnavailableError
from tests.support.commands import tocsin

ID = UUID("0199a1b2-7c1d-7e43-9f0a-2f6c1d9e8b11")


COMMANDS = [
    (path, {option for each in command.params for option in each.opts})
    for path, command in commands.leaves(get_command(build()), ())
]


@pytest.mark.parametrize(("path", "options"), COMMANDS, ids=[" ".join(path) for path, _ in COMMANDS])
def test_every_command_can_answer_in_json(path: tuple[str, ...], options: set[str]) -> None:
    assert path
    assert "--json" in options


def test_a_command_line_that_makes_no_sense_exits_with_two() -> None:
    assert tocsin("trace", "no-uuid").code == 2


@pytest.mark.parametrize(
    ("error", "code", "next_step"),
    [
        (RefusedError(401, "no"), ExitCode.REFUSED, "TOCSIN_API_KEY"),
        (RefusedError(403, "no"), ExitCode.REFUSED, "scope"),
        (RefusedError(404, "no"), ExitCode.MISSING, "id"),
        (RefusedError(422, "no"), ExitCode.REFUSED, ""),
        (UnavailableError("away"), ExitCode.UNAVAILABLE, "tocsin up"),
    ],
    ids=["no_key", "no_scope", "not_found", "invalid", "away"],
)
def test_an_error_says_what_to_do_and_exits_with_its_own_code(error: Exception, code: int, next_step: str) -> None:
    answer = told(error)
    assert answer.code == code
    assert next_step in answer.next_step


@pytest.mark.parametrize(
    ("ids", "reason", "since"),
    [([], None, None), ([ID], "timeout", None), ([], "timeout", datetime(2026, 11, 22, tzinfo=UTC))],
    ids=["nothing", "ids_and_reason", "reason_and_since"],
)
def test_dead_letters_are_chosen_in_exactly_one_way(
    ids: list[UUID], reason: str | None, since: datetime | None
) -> None:
    with pytest.raises(CommandError, match="one of them"):
        dead_letters.selection(ids, reason, since)


def test_a_time_without_offset_is_utc() -> None:
    naive = datetime(2026, 11, 22)  # noqa: DTZ001 - as typer reads it
    assert dead_letters.selection([], None, naive) == {"since": "2026-11-22T00:00:00+00:00"}


def test_a_schedule_without_zone_is_refused_before_anything_is_sent() -> None:
    ran = tocsin("send", "--to", "ada", "--name", "n", "--at", "2026-12-01T09:00")
    assert (ran.code, "time zone" in ran.err) == (1, True)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([{"name": "n"}], "--idempotency-key k0,"),
        ([{"name": "n", "idempotency_key": "k0"}], "same command"),
        ([{"name": "n"}, {"name": "m", "idempotency_key": "k1"}], "Give each"),
    ],
    ids=["without", "with", "a file"],
)
def test_who_got_no_answer_is_told_how_to_repeat_it_without_a_second_notification(
    given: list[dict[str, str]], said: str
) -> None:
    keyed = [{**body, "idempotency_key": f"k{number}"} for number, body in enumerate(given)]
    assert said in send.how_to_repeat(given, keyed)


def test_options_beside_a_file_are_refused_rather_than_ignored(tmp_path: Path) -> None:
    file = tmp_path / "one.json"
    file.write_text("{}")
    ran = tocsin("send", str(file), "--to", "ada")
    assert (ran.code, "not from both" in ran.err) == (1, True)


def test_the_command_line_is_built_anew_each_time() -> None:
    assert isinstance(build(), typer.Typer)
    assert build() is not build()


@pytest.mark.parametrize(
    ("text", "parent", "audience"),
    [
        ("team:23, 27@3", None, {"kind": "team", "company": "3", "ids": ["23", "27"]}),
        ("team@3", None, {"kind": "team", "company": "3"}),
        ("event_team:91@3", "9", {"kind": "event_team", "company": "3", "ids": ["91"], "parent": "9"}),
        (None, None, None),
    ],
)
def test_an_audience_is_written_as_kind_ids_and_company(
    text: str | None, parent: str | None, audience: dict[str, object] | None
) -> None:
    assert Wanted(name="x", audience=text, parent=parent).body().get("audience") == audience


@pytest.mark.parametrize(("text", "parent"), [("team:23", None), ("@3", None), ("team@", None), (None, "9")])
def test_an_audience_that_names_no_company_is_refused(text: str | None, parent: str | None) -> None:
    with pytest.raises(CommandError):
        Wanted(name="x", audience=text, parent=parent).body()
