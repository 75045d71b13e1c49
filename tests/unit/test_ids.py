"""Identities: what is the same has the same id, and nothing else has."""

import json
from datetime import UTC, datetime, timedelta, timezone
from uuid import NAMESPACE_URL, UUID, uuid5

import pytest

from shared.contract import ids


def test_the_same_parts_give_the_same_id() -> None:
    assert ids.keyed_notification("acme", "billing", "order-77") == ids.keyed_notification(
        "acme", "billing", "order-77"
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("a", "b", "c:d"), ("a", "b:c", "d")),
        (("a", "b,c", "d"), ("a", "b", "c,d")),
        (('a"', "b", "c"), ("a", '"b', "c")),
        (("a", "b", ""), ("a", "", "b")),
        (("a", "b", "c", "d"), ("a", "b", "c:d")),
        (("a", "b", "c", "d"), ("a", "b:c", "d")),
    ],
)
def test_parts_that_join_alike_keep_their_own_ids(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    assert ids.keyed_notification(*one) != ids.keyed_notification(*other)


def test_the_tenant_is_part_of_every_id() -> None:
    subject = UUID(int=7)
    opened = datetime(2026, 1, 1, tzinfo=UTC)
    assert ids.keyed_notification("a", "s", "k") != ids.keyed_notification("b", "s", "k")
    assert ids.positioned_notification("a", "1", "t", 0, 0) != ids.positioned_notification("b", "1", "t", 0, 0)
    assert ids.delivery("a", subject, "r", "email") != ids.delivery("b", subject, "r", "email")
    assert ids.digest("a", "r", "c", opened) != ids.digest("b", "r", "c", opened)


def test_kinds_never_share_an_id() -> None:
    assert ids.derived("notification", ["a"]) != ids.derived("digest", ["a"])


def test_a_topic_made_anew_gives_new_ids_to_old_offsets() -> None:
    assert ids.positioned_notification("a", "1", "t", 0, 5) != ids.positioned_notification("a", "2", "t", 0, 5)


def test_a_fresh_id_is_a_time_ordered_uuid7() -> None:
    first, second = ids.fresh(), ids.fresh()
    assert first.version == second.version == 7
    assert first < second


def test_a_window_has_one_id_in_whatever_zone_its_opening_is_written() -> None:
    utc = datetime(2026, 1, 1, tzinfo=UTC)
    east = utc.astimezone(timezone(timedelta(hours=10)))
    assert ids.digest("a", "r", "c", utc) == ids.digest("a", "r", "c", east)


def test_a_derived_id_is_the_uuid5_of_the_json_array() -> None:
    namespace = uuid5(NAMESPACE_URL, "urn:tocsin:ids:1")
    assert ids.derived("delivery", ["tänant", 7]) == uuid5(namespace, '["delivery","t\\u00e4nant",7]')


@pytest.mark.parametrize("part", [*map(chr, range(128)), "Zoë", "💌", "\ud800", "\u2028", 2**70, -1])
def test_every_part_is_written_as_compact_json_in_ascii(part: str | int) -> None:
    namespace = uuid5(NAMESPACE_URL, "urn:tocsin:ids:1")
    assert ids.derived("kind", [part]) == uuid5(namespace, json.dumps(["kind", part], separators=(",", ":")))
