"""What can go wrong for a caller of Tocsin.

ClientError
├── RefusedError      Tocsin understood and said no: mend the request, then send it again
└── UnavailableError  no answer, or "later", until patience ran out: send the same again later
"""

from collections.abc import Sequence
from http import HTTPStatus

from shared.contract.messages import FieldError


class ClientError(Exception):
    """The root of what this package raises on purpose."""


class RefusedError(ClientError):
    """An answer that is an error (RFC 9457): its status, its detail, and every field concerned."""

    def __init__(self, status: int, detail: str, errors: Sequence[FieldError] = ()) -> None:
        super().__init__("\n".join([f"{status}: {detail}", *(f"  {e.pointer or '/'}: {e.detail}" for e in errors)]))
        self.status = status
        self.detail = detail
        self.errors = tuple(errors)

    @property
    def is_missing(self) -> bool:
        """Whether what was asked for does not exist, or not for this key."""
        return self.status == HTTPStatus.NOT_FOUND


class UnavailableError(ClientError):
    """Tocsin did not take the request although it was repeated; whether an attempt arrived is unknown.

    Sending the same request with the same idempotency key later is safe.
    """
