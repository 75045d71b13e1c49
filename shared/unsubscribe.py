"""Links by which recipients unsubscribe without a login: what they are about stands in them, signed.

They never end. A mail is kept for years and its link must still work (RFC 8058 names no end, laws ask for at least a
month after the mail), and all that a holder can do with one is to stop messages by its channel, or to undo that.
"""

import hashlib
import hmac
from dataclasses import dataclass

import orjson
import structlog
from itsdangerous import BadData, Signer
from itsdangerous.encoding import base64_decode, base64_encode

from shared.contract.outcomes import Channel
from shared.runtime.secret_file import SecretFile

PATH = "/u"
SHORTEST_SECRET = 32
"""Characters of each secret: as many of hex are 128 bits."""

_SALT = b"tocsin.unsubscribe.1"

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a recipient gets on a channel, and may not want any more.

    That is what is said about an asset where one is named, else what is of the communication class.
    """

    tenant: str
    recipient: str
    channel: Channel
    class_key: str
    asset: str | None = None


class UnsubscribeLinks:
    """Makes links and reads them.

    The file has one secret a line: the last one signs, all of them open, so that a new one ends no link.
    """

    def __init__(self, secrets: SecretFile, public_url: str) -> None:
        """`public_url` is where recipients reach the inbox. Raises ValueError where a secret is too short."""
        self._secrets = secrets
        self._base = f"{public_url.rstrip('/')}{PATH}/"
        self._content = secrets.current()
        self._signer = _signer(self._content)

    def to(self, subscription: Subscription) -> str:
        """The link by which a subscription is ended."""
        about = subscription
        parts = [about.tenant, about.recipient, about.channel, about.class_key, about.asset]
        return self._base + self._current().sign(base64_encode(orjson.dumps(parts))).decode()

    def read(self, token: str) -> Subscription | None:
        """What a link with this last part is about; None when it is none of ours."""
        try:
            tenant, recipient, channel, class_key, asset = orjson.loads(base64_decode(self._current().unsign(token)))
        except BadData:
            return None
        return Subscription(tenant, recipient, Channel(channel), class_key, asset)

    def _current(self) -> Signer:
        content = self._secrets.current()
        if content != self._content:
            self._content = content
            try:
                self._signer = _signer(content)
            except ValueError as error:  # links that open are better than none
                _log.warning("unsubscribe_secrets_unfit", error=str(error))
        return self._signer


def _signer(content: bytes) -> Signer:
    secrets = content.split()
    if any(len(secret) < SHORTEST_SECRET for secret in secrets):
        raise ValueError(f"each unsubscribe secret, one a line, must have {SHORTEST_SECRET} characters or more")
    # As the signer derives keys by itself ("hmac"), but once and not for each link.
    keys = [hmac.digest(secret, _SALT, hashlib.sha256) for secret in secrets]
    return Signer(keys, key_derivation="none", digest_method=hashlib.sha256)
