"""Where commands find Tocsin: flags before the environment before a running stack's endpoints.json."""

import json
from pathlib import Path

import pytest

from cli.errors import CommandError
from cli.target import Target
from shared.client import AsyncTocsin, Console
from tests.support.commands import tocsin

STACK = {"ingest": "http://127.0.0.1:1", "console": None, "kafka": "127.0.0.1:2", "postgres": "postgresql:///x"}


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STATE", "INGEST_URL", "CONSOLE_URL", "API_KEY", "KAFKA_BOOTSTRAP", "POSTGRES_DSN",
                 "API_KEY_SECRET_FILE"):  # fmt: skip
        monkeypatch.delenv(f"TOCSIN_{name}", raising=False)


def stack(folder: Path, **more: object) -> Path:
    (folder / "endpoints.json").write_text(json.dumps(STACK | more))
    return folder


def test_a_flag_goes_before_the_environment_and_that_before_the_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = stack(tmp_path)
    assert Target(state).kafka(None) == "127.0.0.1:2"
    monkeypatch.setenv("TOCSIN_KAFKA_BOOTSTRAP", "kafka.example:9092")
    assert Target(state).kafka(None) == "kafka.example:9092"
    assert Target(state).kafka("other.example:9092") == "other.example:9092"


def test_the_state_folder_may_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_STATE", str(stack(tmp_path)))
    assert Target().postgres(None) == "postgresql:///x"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["trace", "0199a1b2-7c1d-7e43-9f0a-2f6c1d9e8b11"], "runs without console"),
        (["send", "--to", "ada", "--name", "n"], "no API key"),
        (["tenants", "create", "acme"], "cannot read the API key secret"),
    ],
    ids=["service_not_run", "no_key", "no_secret"],
)
def test_what_is_missing_is_named_with_the_way_to_give_it(command: list[str], said: str, tmp_path: Path) -> None:
    ran = tocsin(*command, "--state", str(stack(tmp_path)))
    assert ran.code == 1
    assert said in ran.err
    assert "TOCSIN_" in ran.err


def test_without_a_stack_the_error_says_how_to_start_one(tmp_path: Path) -> None:
    ran = tocsin("keys", "list", "--state", str(tmp_path))
    assert ran.code == 1
    assert "`tocsin up`" in ran.err


def test_each_service_is_asked_with_its_own_demo_key_where_none_is_given(tmp_path: Path) -> None:
    console = {"console": "http://127.0.0.1:3"}
    sender = Target(stack(tmp_path, demo={"api_key": "tk_sender"}, **console))
    assert isinstance(sender.tocsin(), AsyncTocsin)
    with pytest.raises(CommandError, match="no API key"):
        sender.console()
    admin = Target(stack(tmp_path, demo={"admin_key": "tk_admin"}, **console))
    assert isinstance(admin.console(), Console)
    with pytest.raises(CommandError, match="no API key"):
        admin.tocsin()


def test_a_file_that_is_no_endpoints_document_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "endpoints.json").write_text("{")
    with pytest.raises(CommandError, match=r"cannot read .*endpoints\.json"):
        Target(tmp_path).kafka(None)


def test_a_shell_can_take_up_where_a_stack_is(tmp_path: Path) -> None:
    state = stack(tmp_path, demo={"admin_key": "tk_admin"})
    assert tocsin("env", "--state", str(state)).out.splitlines() == [
        "export TOCSIN_INGEST_URL=http://127.0.0.1:1",
        "export TOCSIN_API_KEY=tk_admin",
    ]
    assert tocsin("env", "--state", str(state / "nowhere")).code == 1
