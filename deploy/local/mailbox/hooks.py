"""A caught webhook: raw while it is stored, decoded when somebody reads it."""

import base64
import datetime as dt
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Hook:
    """One caught request and the name it was sent to."""

    number: int
    name: str
    raw_headers: tuple[tuple[bytes, bytes], ...]
    raw: bytes
    received_at: dt.datetime

    @property
    def size(self) -> int:
        """Bytes of body and headers."""
        return len(self.raw) + sum(len(name) + len(value) for name, value in self.raw_headers)

    def document(self) -> dict[str, Any]:
        """The JSON of `GET /api/hooks/{name}`; header names in lower case, `body` the text as it came.

        A body that is not UTF-8 comes as `body_base64` too, and `body` then has replacement characters.
        """
        headers = {name.decode("latin-1").lower(): value.decode("utf-8", "replace") for name, value in self.raw_headers}
        text = self.raw.decode(errors="replace")
        exact = {} if text.encode() == self.raw else {"body_base64": base64.b64encode(self.raw).decode()}
        return {"headers": headers, "body": text, "received_at": self.received_at.isoformat()} | exact
