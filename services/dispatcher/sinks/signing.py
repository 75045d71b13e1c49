"""DKIM signatures (RFC 6376) with the key of the tenant whose mail it is; keys stand in files and nowhere else."""

import asyncio
import urllib.parse
from pathlib import Path

import dkim

from shared.runtime.secret_file import SecretFile

# What a reader sees, and what a mail is told apart and answered by. Absent ones are passed over.
_SIGNED = [
    b"from", b"to", b"subject", b"date", b"message-id", b"reply-to", b"mime-version", b"content-type",
    b"list-unsubscribe", b"list-unsubscribe-post",
]  # fmt: skip


class NoSignatureError(Exception):
    """A tenant's mail cannot be signed as the tenant wants it; the message says what the operator must mend."""


class Signer:
    """Signs mails; keys are read when first needed, and again when their file has changed.

    The key of a tenant is the file `<tenant>.<selector>.pem`, the tenant's id percent-encoded.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._keys: dict[str, SecretFile] = {}

    async def signed(self, message: bytes, tenant: str, selector: str, domain: str) -> bytes:
        """The message with a signature of the domain in front.

        Raises:
            NoSignatureError: there is no such key, or it is none that signs.
        """
        key = self._key(f"{urllib.parse.quote(tenant, safe='')}.{selector}.pem")
        # In a thread: a signature with RSA takes milliseconds, in which other mails go on.
        return await asyncio.to_thread(_signed, message, selector, domain, key)

    def _key(self, name: str) -> bytes:
        if self._folder is None:
            raise NoSignatureError("mail.dkim_selector is set, but TOCSIN_DKIM_KEYS_FOLDER is not")
        try:
            if name not in self._keys:
                self._keys[name] = SecretFile(self._folder / name)
        except (OSError, ValueError) as error:
            raise NoSignatureError(f"there is no DKIM key {name} in TOCSIN_DKIM_KEYS_FOLDER") from error
        return self._keys[name].current()


def _signed(message: bytes, selector: str, domain: str, key: bytes) -> bytes:
    try:
        signature = dkim.sign(
            message, selector.encode(), domain.encode(), key, canonicalize=(b"relaxed", b"relaxed"),
            include_headers=_SIGNED,
        )  # fmt: skip
    except (dkim.DKIMException, ValueError) as error:
        raise NoSignatureError(f"the DKIM key does not sign: {type(error).__name__}") from error
    return bytes(signature) + message
