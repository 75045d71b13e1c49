"""What is wrong with a sendNotification, by the names of the source (B13)."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus

from shared.contract.messages import FieldError


class Exceptions(StrEnum):
    """The errors that seed 001 lists."""

    INVALID_PARAMETER = "WSInvalidParameterException"
    INVALID_AUTH_TOKEN = "WSInvalidAuthTokenException"  # noqa: S105 - the source's name of an error
    CACHE_SERVICE = "WSCacheServiceException"
    INSUFFICIENT_PERMISSIONS = "WSInsufficientPermissionsException"
    EVENT_SERVICE = "WSEventServiceException"
    INTERNAL = "WSInternalException"
    SMART_LIB_NOT_FOUND = "WSSmartLibNotFoundException"
    SMART_LIBRARY_SERVICE = "WSSmartLibraryServiceException"


STATUS = {
    Exceptions.INVALID_PARAMETER: HTTPStatus.BAD_REQUEST,
    Exceptions.INVALID_AUTH_TOKEN: HTTPStatus.UNAUTHORIZED,
    Exceptions.INSUFFICIENT_PERMISSIONS: HTTPStatus.FORBIDDEN,
    Exceptions.EVENT_SERVICE: HTTPStatus.NOT_FOUND,
    Exceptions.SMART_LIB_NOT_FOUND: HTTPStatus.NOT_FOUND,
    Exceptions.SMART_LIBRARY_SERVICE: HTTPStatus.NOT_FOUND,
    Exceptions.CACHE_SERVICE: HTTPStatus.SERVICE_UNAVAILABLE,
    Exceptions.INTERNAL: HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""The source names no statuses; these are what a caller of HTTP expects of each."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong: the error's name, the field (as sent; '' for the whole) and what to do about it.

    `field` is a name of the body, with an index where it stands in a list (`values[2]`, `emailParams[0].key`), or the
    name of a header.
    """

    name: Exceptions
    field: str
    detail: str

    @property
    def message(self) -> str:
        """The detail with the field in front of it."""
        return f"{self.field}: {self.detail}" if self.field else self.detail


def invalid(field: str, detail: str) -> Fault:
    """A parameter that cannot be."""
    return Fault(Exceptions.INVALID_PARAMETER, field, detail)


def as_field_errors(faults: Sequence[Fault]) -> tuple[FieldError, ...]:
    """The faults as `notifications.rejected` carries errors; the code is the name of the source."""
    return tuple(FieldError(pointer=_pointer(fault.field), code=fault.name, detail=fault.message) for fault in faults)


def _pointer(field: str) -> str:
    parts = field.replace("[", ".").replace("]", "").split(".") if field else []
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts)
