"""What becomes of a delivery whose sink did not say how it went."""

import uuid
from datetime import UTC, datetime

import pytest

from services.scheduler import leases
from services.scheduler.store.deliveries import DueDelivery, LostLease
from shared.contract.importance import Lane
from shared.contract.outcomes import Channel

NOW = datetime(2026, 8, 1, tzinfo=UTC)


def lost(attempt: int, *, holds: bool = False) -> LostLease:
    delivery = DueDelivery(
        "acme", uuid.uuid4(), NOW.date(), "notification", uuid.uuid4(), "ada", "email", Channel.EMAIL, Lane.URGENT,
        attempt, NOW, None,
    )  # fmt: skip
    return LostLease(delivery, holds)


@pytest.mark.parametrize(
    ("lease", "fate"),
    [
        (lost(1), "again"),
        (lost(4), "again"),
        (lost(5), "exhausted"),
        (lost(6), "exhausted"),
        (lost(1, holds=True), "held"),
        (lost(5, holds=True), "held"),
    ],
    ids=["first", "last but one", "last", "beyond", "hold", "hold at the last"],
)
def test_it_is_tried_again_unless_that_is_not_wanted_or_was_done_often_enough(lease: LostLease, fate: str) -> None:
    found = leases.verdicts([lease], max_attempts=5)
    assert {name: len(getattr(found, name)) for name in ("again", "held", "exhausted")} == {
        **dict.fromkeys(("again", "held", "exhausted"), 0),
        fate: 1,
    }
