"""Recipients' tokens open one inbox for a while, and nothing that was not issued here opens any."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from joserfc import jwk, jwt

from services.inbox.tokens import Recipient, Tokens
from shared.runtime.secret_file import SecretFile

SECRET = b"0123456789abcdef0123456789abcdef"
ADA = Recipient("acme", "ada")


class SetClock:
    """A clock that stands where a test puts it."""

    def __init__(self) -> None:
        self.time = datetime(2026, 8, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return 0.0


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_bytes(SECRET)
    return path


def test_a_token_names_its_recipient_until_it_ends(secret: Path) -> None:
    clock = SetClock()
    tokens = Tokens(SecretFile(secret), clock)
    token, expires_at = tokens.issued(ADA, 60)
    assert expires_at == clock.time + timedelta(seconds=60)
    assert tokens.read(token) == ADA
    clock.time += timedelta(seconds=61)
    assert tokens.read(token) is None


def test_a_changed_secret_ends_every_token(secret: Path) -> None:
    tokens = Tokens(SecretFile(secret), SetClock())
    token, _ = tokens.issued(ADA, 60)
    secret.write_bytes(SECRET[::-1] + b"longer")
    assert tokens.read(token) is None


@pytest.mark.parametrize(
    "changed",
    [{"aud": "console"}, {"iss": "other"}, {"sub": None}, {"tenant": ["acme"]}, {"exp": None}, {"sub": 7}],
    ids=str,
)
def test_a_token_with_other_claims_opens_nothing(secret: Path, changed: dict[str, object]) -> None:
    claims: dict[str, object] = {"iss": "tocsin", "aud": "inbox", "sub": "ada", "tenant": "acme", "exp": 4_000_000_000}
    tokens = Tokens(SecretFile(secret), SetClock())
    assert tokens.read(jwt.encode({"alg": "HS256"}, claims, jwk.OctKey.import_key(SECRET))) == ADA
    kept = {name: value for name, value in {**claims, **changed}.items() if value is not None}
    assert tokens.read(jwt.encode({"alg": "HS256"}, kept, jwk.OctKey.import_key(SECRET))) is None


def test_what_is_signed_by_others_or_not_at_all_opens_nothing(secret: Path) -> None:
    tokens = Tokens(SecretFile(secret), SetClock())
    claims = {"iss": "tocsin", "aud": "inbox", "sub": "ada", "tenant": "acme", "exp": 4_000_000_000}
    other = jwt.encode({"alg": "HS256"}, claims, jwk.OctKey.import_key(b"another secret of the same length"))
    header, body, _ = tokens.issued(ADA, 60)[0].split(".")
    none = "eyJhbGciOiJub25lIn0"
    for token in ("", "a", "a.b.c", other, f"{header}.{body}.", f"{none}.{body}.", "tk_0123456789abcdef_x"):
        assert tokens.read(token) is None
