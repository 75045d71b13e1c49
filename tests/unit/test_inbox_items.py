"""The rules of C3 to C6 as tables."""

import uuid
from datetime import UTC, date, datetime
from typing import Any

import pytest

from services.inbox import items
from services.inbox.items import Completion, StoredItem
from shared.contract.importance import Importance, ImportanceOptions
from shared.contract.outcomes import NotificationState
from shared.contract.user_status import UserStatus

NOW = datetime(2026, 8, 1, tzinfo=UTC)
URL = "https://crm.example/4172"
OPEN = {"requires_action": True}
DONE = {"requires_action": True, "completed_at": NOW, "completed_by": "ada"}


def stored(**changed: Any) -> StoredItem:
    standard: dict[str, Any] = {
        "notification_id": uuid.uuid4(), "expires_on": date(2026, 8, 8), "name": "Enquiry", "description": "**Please**",
        "importance": Importance.WARNING, "class_key": "enquiries", "created_at": NOW, "expires_at": None,
        "requires_action": False, "completed_by": None, "completed_at": None, "dismissed_at": None,
        "action_url": None, "items": [], "version": 1,
    }  # fmt: skip
    return StoredItem(**{**standard, **changed})


@pytest.mark.parametrize(
    ("changed", "state", "dismissible"),
    [
        ({}, NotificationState.NO_ACTION, True),
        (OPEN, NotificationState.ACTION_REQUIRED, False),
        (DONE, NotificationState.ACTION_COMPLETE, True),
    ],
    ids=["no action", "action required", "action complete"],
)
def test_an_item_is_in_one_of_three_states_and_dismissed_when_nothing_is_left_to_do(
    changed: dict[str, Any], state: NotificationState, *, dismissible: bool
) -> None:
    item = stored(**changed)
    assert item.state is state
    assert items.may_dismiss(item) is dismissible


@pytest.mark.parametrize(
    ("changed", "at_once", "outcome"),
    [
        ({}, False, Completion.NOT_REQUIRED),
        ({}, True, Completion.NOT_REQUIRED),
        (OPEN, False, Completion.CONFIRM),
        ({**OPEN, "action_url": URL}, False, Completion.REDIRECT),
        (OPEN, True, Completion.COMPLETE),
        ({**OPEN, "action_url": URL}, True, Completion.COMPLETE),
        (DONE, True, Completion.ALREADY),
        ({**DONE, "action_url": URL}, False, Completion.ALREADY),
    ],
)
def test_completing_follows_its_parameter_then_its_url_then_a_question(
    changed: dict[str, Any], outcome: Completion, *, at_once: bool
) -> None:
    assert items.completion(stored(**changed), at_once=at_once) is outcome


@pytest.mark.parametrize(
    ("url", "popup"),
    [
        (None, False),
        (URL, False),
        (f"{URL}?popup=true", True),
        (f"{URL}?a=b&popup=true#x", True),
        (f"{URL}?popup=false", False),
        (f"{URL}?nopopup=true", False),
        (f"{URL}#popup=true", False),
    ],
)
def test_an_action_opens_in_a_popup_when_its_url_says_so(url: str | None, *, popup: bool) -> None:
    assert items.opens_popup(url) is popup


def test_importances_are_presented_as_the_source_says_and_as_the_tenant_overrides() -> None:
    assert list(items.presented({})) == ["danger", "warning", "primary", "success", "info", "default"]
    own = {"default": ImportanceOptions(7, "bg-light", 0, send=True), "info": ImportanceOptions(7, "", 1, send=True)}
    assert list(items.presented(own)) == ["default", "danger", "info", "warning", "primary", "success"]
    assert items.presented(own)[Importance.DEFAULT].css_class == "bg-light"


def test_an_item_is_seen_under_the_names_of_the_wire() -> None:
    seen = items.seen(stored(action_url=f"{URL}?popup=true"), items.presented({})).model_dump(by_alias=True)
    assert set(seen) == {
        "id", "name", "description", "description_html", "importance", "css_class", "class", "created_at",
        "expires_at", "state", "completed_by", "completed_at", "dismissed", "action_url", "popup", "items", "type",
        "status", "status_css_class", "version",
    }  # fmt: skip
    assert seen["description_html"] == "<p><strong>Please</strong></p>"
    assert (seen["css_class"], seen["popup"]) == ("bg-warning", True)


def test_a_user_notification_shows_its_type_and_status_and_others_have_none() -> None:
    order = items.seen(stored(type="7", status="Shortage"), items.presented({}))
    assert (order.type, order.status) == ("7", "Shortage")
    other = items.seen(stored(), items.presented({}))
    assert (other.type, other.status) == (None, None)


def test_every_status_of_the_source_has_a_colour_of_its_own() -> None:
    shown = [items.seen(stored(status=word), items.presented({})).status_css_class for word in UserStatus]
    assert shown == ["bg-success", "bg-warning", "bg-danger", "bg-info"]


def test_a_status_that_is_none_of_the_source_has_no_colour() -> None:
    assert items.seen(stored(status="Shipped"), items.presented({})).status_css_class is None
    assert items.seen(stored(), items.presented({})).status_css_class is None
