"""What a claim is to the row under its id."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from services.ingest import identities
from services.ingest.identities import Decided, Standing
from services.ingest.store import Claim, Entry

ID = UUID(int=7)
NOW = datetime(2026, 11, 22, tzinfo=UTC)


def claim(payload_hash: bytes | None) -> Claim:
    return Claim(ID, "acme", payload_hash)


def entry(payload_hash: bytes | None) -> Entry:
    return Entry(ID, payload_hash, NOW, None, taken_in=False)


@pytest.mark.parametrize(
    ("mine", "stored", "standing"),
    [
        pytest.param(b"a", b"a", Standing.REPEAT, id="same body"),
        pytest.param(b"a", b"b", Standing.CONFLICT, id="another body"),
        pytest.param(None, None, Standing.REPEAT, id="a record without key, read again"),
    ],
)
def test_what_was_known_is_repeated_or_contradicted(
    mine: bytes | None, stored: bytes | None, standing: Standing
) -> None:
    known = entry(stored)
    assert identities.judged(claim(mine), {}, {ID: known}) == Decided(standing, known)


def test_of_claims_entered_together_the_winner_is_first_and_the_others_are_measured_by_it() -> None:
    winner, same, other = claim(b"a"), claim(b"a"), claim(b"b")
    entered = {ID: (winner, entry(b"a"))}
    standings = [identities.judged(each, entered, {}).standing for each in (winner, same, other)]
    assert standings == [Standing.FIRST, Standing.REPEAT, Standing.CONFLICT]


def test_what_was_only_looked_up_may_be_unknown() -> None:
    assert identities.judged(claim(b"a"), {}, {}) == Decided(Standing.UNKNOWN, None)
