"""API keys: what is stored opens for the one key, as long as it may."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared import access

SECRET = b"installation"
NOW = datetime(2026, 3, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def stored(key: str) -> access.StoredKey:
    identity = access.key_id(key)
    assert identity is not None
    scopes = frozenset({"publish:alarms"})
    return access.StoredKey("acme", identity, scopes, access.key_hmac(key, SECRET), None, None, None, None)


def test_a_key_opens_what_was_stored_of_it_and_nothing_else() -> None:
    (_, key), (_, other) = access.new_key(), access.new_key()
    assert stored(key).opened_by(access.key_hmac(key, SECRET), NOW)
    assert not stored(key).opened_by(access.key_hmac(other, SECRET), NOW)
    assert not stored(key).opened_by(access.key_hmac(key, b"another installation"), NOW)


def test_a_key_is_closed_from_the_moment_it_expires() -> None:
    _, key = access.new_key()
    expiring = replace(stored(key), expires_at=NOW)
    assert expiring.opened_by(access.key_hmac(key, SECRET), NOW - SECOND)
    assert not expiring.opened_by(access.key_hmac(key, SECRET), NOW)


def test_a_revoked_key_is_closed() -> None:
    _, key = access.new_key()
    assert not replace(stored(key), revoked_at=NOW).opened_by(access.key_hmac(key, SECRET), NOW)


def test_two_keys_open_during_a_rotation_and_one_after_it() -> None:
    identity, old = access.new_key()
    _, new = access.new_key(identity)
    rotated = replace(stored(new), previous_hmac=access.key_hmac(old, SECRET), previous_until=NOW + SECOND)
    assert rotated.opened_by(access.key_hmac(old, SECRET), NOW)
    assert rotated.opened_by(access.key_hmac(new, SECRET), NOW)
    assert not rotated.opened_by(access.key_hmac(old, SECRET), NOW + SECOND)


@pytest.mark.parametrize(
    ("scopes", "class_key", "allowed"),
    [
        ({"publish"}, "alarms", True),
        ({"admin"}, "alarms", True),
        ({"publish:alarms"}, "alarms", True),
        ({"publish:alarms"}, "news", False),
        ({"trace"}, "alarms", False),
    ],
)
def test_a_scope_allows_publishing_a_class(scopes: set[str], class_key: str, allowed: bool) -> None:  # noqa: FBT001
    _, key = access.new_key()
    assert replace(stored(key), scopes=frozenset(scopes)).allows_class(class_key) is allowed


@pytest.mark.parametrize(
    ("scopes", "may"), [({"publish"}, True), ({"admin"}, True), ({"publish:alarms"}, True), ({"mail", "trace"}, False)]
)
def test_who_may_publish_some_class_may_publish(scopes: set[str], may: bool) -> None:  # noqa: FBT001
    _, key = access.new_key()
    assert replace(stored(key), scopes=frozenset(scopes)).may_publish() is may


@pytest.mark.parametrize(
    "presented", ["", "tk_", "tk_1_2", "xx_0123456789abcdef_" + "a" * 43, "tk_0123456789abcdef_short"]
)
def test_what_is_no_key_has_no_id(presented: str) -> None:
    assert access.key_id(presented) is None


@pytest.mark.parametrize(
    ("header", "credential"),
    [(None, None), ("", None), ("Bearer abc", "abc"), ("bearer abc", "abc"), ("Basic abc", None), ("Bearer ", None)],
)
def test_the_bearer_credential_of_a_header(header: str | None, credential: str | None) -> None:
    assert access.bearer(header) == credential
