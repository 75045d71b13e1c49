"""What a script may ask for by its five verbs, and when it is heard no more."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
import pytest
from pydantic import ValidationError

from services.dispatcher.runs import planning
from services.dispatcher.runs.calling import Callers, Raised, Stopped, TimeUp
from services.dispatcher.runs.planning import Asked, Run, RunKind
from services.dispatcher.runs.subjects import Authority
from shared.contract import ids
from shared.plugins import Function
from shared.scripts import Call, Later, NotAllowedError, Notification, Recipient
from tests.support import waiting

NOW = datetime(2026, 11, 23, tzinfo=UTC)
HANDLE = "0199a1b2-7c1d-7e43-9f0a-2f6c1d9e8b11"
ABOUT = Notification(
    UUID(HANDLE), "acme", "billing", "Enquiry", "Please", "info", "enquiries", {"after": 5}, [], False, None, "key",
    NOW, ["ada", "grace"], 2,
)  # fmt: skip


def call(recipient: Recipient | None = None, allows: Callable[[str], bool] = lambda _: True, **about: Any) -> Call:
    return Call(HANDLE, 1, "mine", replace(ABOUT, **about), recipient, None, allows)


def test_what_a_script_asks_for_has_the_same_identity_in_every_attempt() -> None:
    first, again = call(), call()
    asked = [first.email("Hi", "text"), first.notify(name="n", description="d", recipients=["ada"])]
    assert asked == [again.email("Hi", "text"), again.notify(name="n", description="d", recipients=["ada"])]
    assert asked == [ids.keyed_notification("acme", "script.mine", f"{HANDLE}/{number}") for number in range(2)]
    assert [body["idempotency_key"] for body in first.requests] == [f"{HANDLE}/0", f"{HANDLE}/1"]


@pytest.mark.parametrize(
    ("recipient", "to", "whom"),
    [
        pytest.param(None, None, ["ada", "grace"], id="all"),
        pytest.param(Recipient("ada", "user"), None, ["ada"], id="the recipient"),
        pytest.param(Recipient("ada", "user"), ["hank"], ["hank"], id="named"),
    ],
)
def test_a_mail_goes_at_once_by_mail_only_to_whom_the_run_is_about(
    recipient: Recipient | None, to: list[str] | None, whom: list[str]
) -> None:
    asking = call(recipient)
    asking.email("Hi", "text", to)
    (body,) = asking.requests
    assert (body["recipients"], body["channels"], body["options"]) == (whom, ["email"], {"email": "immediate"})
    assert body["class"] == "enquiries"


def test_a_notification_to_more_than_can_be_named_is_mailed_recipient_by_recipient() -> None:
    with pytest.raises(ValueError, match="schedule"):
        call(recipient_count=10_001).email("Hi", "text")


def test_a_class_that_the_owner_may_not_publish_is_refused() -> None:
    authority = Authority(frozenset({"publish:enquiries"}))
    asking = call(allows=authority.allows)
    asking.notify(name="n", description="d", recipients=["ada"], class_key="enquiries")
    with pytest.raises(NotAllowedError):
        asking.notify(name="n", description="d", recipients=["ada"], class_key="alarms")
    with pytest.raises(NotAllowedError):
        asking.notify(name="n", description="d", recipients=["ada"])
    assert len(asking.requests) == 1


@pytest.mark.parametrize(
    ("scopes", "allowed"),
    [
        pytest.param(None, True, id="no key: whoever may write to the topic"),
        pytest.param({"publish"}, True, id="publish"),
        pytest.param({"admin"}, True, id="admin"),
        pytest.param({"publish:alarms"}, True, id="the class"),
        pytest.param({"publish:other", "trace"}, False, id="another class"),
        pytest.param({"sn_dex_desktop.admin"}, False, id="another role"),
    ],
)
def test_a_script_has_its_owners_authority(scopes: set[str] | None, allowed: bool) -> None:  # noqa: FBT001
    assert Authority(None if scopes is None else frozenset(scopes)).allows("alarms") is allowed


def test_what_is_no_notification_is_an_error_of_the_script() -> None:
    with pytest.raises(ValidationError):
        call().notify(name="n", recipients=["ada"])
    with pytest.raises(ValueError, match="after_seconds"):
        call().schedule(after_seconds=-1)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param({"n": 2**70}, "64-bit", id="a number beyond 64 bits"),
        pytest.param({"s": "\ud800"}, "surrogates", id="half a character"),
        pytest.param({"o": object()}, "serialize", id="an object"),
        pytest.param({"o": "x" * 20_000}, "16,384", id="options beyond the door's limit"),
    ],
)
def test_what_cannot_be_sent_is_an_error_of_the_script(options: dict[str, Any], said: str) -> None:
    asking = call()
    with pytest.raises(ValueError, match=said):
        asking.notify(name="n", description="d", recipients=["ada"], options=options)
    assert asking.requests == []


def test_more_than_a_request_or_all_of_a_run_may_hold_is_an_error_of_the_script() -> None:
    asking = call()
    with pytest.raises(ValueError, match="1,048,576"):
        asking.email("Hi", "text", [f"{number:0200}" for number in range(10_000)])
    most = [f"{number:0200}" for number in range(4_000)]
    for _ in range(5):
        asking.email("Hi", "text", most)
    with pytest.raises(ValueError, match="4,194,304"):
        asking.email("Hi", "text", most)
    assert len(asking.requests) == 5


@pytest.mark.parametrize("name", [pytest.param("no\x00", id="NUL"), "s" * 101, 7])
def test_a_script_to_run_later_has_a_name_that_can_be_stored(name: Any) -> None:
    with pytest.raises(ValueError, match="script"):
        call().schedule(name)


def test_a_script_schedules_so_often_only() -> None:
    asking = call()
    for _ in range(100):
        asking.schedule(each_recipient=False)
    with pytest.raises(ValueError, match="100"):
        asking.schedule(each_recipient=False)


def test_later_runs_have_an_identity_of_their_own_that_a_repeat_has_again() -> None:
    run = Run("acme", UUID(HANDLE), RunKind.SCRIPT, "mine", ABOUT.id, NOW.date(), None, 1, 1, 0.0)
    later = Later("mine", 900.0, each_recipient=True)
    about = (run.tenant, run.notification_id, run.expires_on)
    asked = [planning.asked_for(run, number, later, NOW) for number in (0, 1)]
    planned = [planning.later_run(about, each, who) for each in asked for who in ("ada", "grace")]
    kept = orjson.loads(orjson.dumps(planning.asked_for(replace(run, attempt=2, fence=7), 0, later, NOW).kept()))
    again = planning.later_run(about, Asked.of(kept), "ada")
    assert len({each.id for each in planned}) == 4
    assert again == planned[0]
    assert (planned[0].due_at - NOW).total_seconds() == 900


async def called(function: Function, seconds: float = 5.0) -> Any:
    return await Callers().call(lambda: function, call(), seconds, asyncio.Event())


async def test_functions_and_coroutines_are_called_alike() -> None:
    seen: list[str] = []

    async def later(asking: Call) -> None:
        await asyncio.sleep(0)
        seen.append(asking.name)

    assert await called(lambda asking: seen.append(asking.name)) is None
    assert await called(later) is None
    assert seen == ["mine", "mine"]


async def test_what_a_script_raises_comes_back_as_python_shows_it() -> None:
    def fails(_: Call) -> None:
        raise SystemExit("the boiler is off")

    def forbidden(_: Call) -> None:
        raise NotAllowedError("no")

    ending = await called(fails)
    assert isinstance(ending, Raised)
    assert "the boiler is off" in ending.traceback
    assert "test_script_calls.py" in ending.traceback
    assert not ending.is_final
    assert (await called(forbidden)).is_final


async def test_a_script_that_does_not_return_is_heard_no_more_and_counted_until_it_does() -> None:
    callers, asking, heard = Callers(), call(), []
    goes_on = threading.Event()

    def slow(late: Call) -> None:
        goes_on.wait(5)
        try:
            late.delete()
        except RuntimeError as error:
            heard.append(str(error))

    assert isinstance(await callers.call(lambda: slow, asking, 0.05, asyncio.Event()), TimeUp)
    assert callers.overdue() == 1
    goes_on.set()

    async def returned() -> bool:
        return callers.overdue() == 0

    await waiting.until(returned, 5, "the script to return")
    assert not asking.deleted
    assert len(heard) == 1


async def test_a_stop_does_not_wait_for_a_script() -> None:
    stop, goes_on = asyncio.Event(), threading.Event()
    stop.set()
    assert isinstance(await Callers().call(lambda: lambda _: goes_on.wait(5), call(), 5.0, stop), Stopped)
    goes_on.set()
