"""Recipients' tokens: short-lived signed JWTs (RFC 7519) that name a tenant and one of its recipients."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from joserfc import jwk, jwt
from joserfc.errors import JoseError

from shared.clock import Clock
from shared.runtime.secret_file import SecretFile

_ALGORITHM = "HS256"
_AUDIENCE = "inbox"
_ISSUER = "tocsin"


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whose inbox a request is about; from the token, never from the address."""

    tenant: str
    id: str


class Tokens:
    """Makes tokens and reads them; the secret may change while the service runs, which ends every token."""

    def __init__(self, secret: SecretFile, clock: Clock) -> None:
        self._secret = secret
        self._clock = clock

    def issued(self, recipient: Recipient, seconds: int) -> tuple[str, datetime]:
        """A token of a recipient, and when it ends."""
        now = self._clock.now().replace(microsecond=0)
        expires_at = now + timedelta(seconds=seconds)
        claims = {
            "iss": _ISSUER, "aud": _AUDIENCE, "sub": recipient.id, "tenant": recipient.tenant,
            "iat": int(now.timestamp()), "exp": int(expires_at.timestamp()),
        }  # fmt: skip
        return jwt.encode({"alg": _ALGORITHM}, claims, self._key()), expires_at

    def read(self, token: str) -> Recipient | None:
        """The recipient of a token; None when it is not one of ours or has ended."""
        try:
            claims = jwt.decode(token, self._key(), algorithms=[_ALGORITHM]).claims
            self._registry().validate(claims)
        except (JoseError, ValueError):
            return None
        tenant, recipient = claims["tenant"], claims["sub"]
        known = isinstance(tenant, str) and isinstance(recipient, str)
        return Recipient(tenant, recipient) if known else None

    def _registry(self) -> jwt.JWTClaimsRegistry:
        return jwt.JWTClaimsRegistry(
            now=int(self._clock.now().timestamp()),
            iss={"essential": True, "value": _ISSUER},
            aud={"essential": True, "value": _AUDIENCE},
            sub={"essential": True},
            tenant={"essential": True},
            exp={"essential": True},
        )

    def _key(self) -> jwk.OctKey:
        return jwk.OctKey.import_key(self._secret.current())
