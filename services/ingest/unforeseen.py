"""What nobody foresaw, such as a right that is missing in PostgreSQL: the log is told once, and ingest goes on."""

import structlog

from shared.contract.outcomes import Reason
from shared.errors import TransientError

_log = structlog.get_logger()

_ADVICE = (
    "until what the error names is mended: a missing table or column by `tocsin migrate`, a missing right by GRANT to "
    "tocsin_ingest; report any other"
)


class Unforeseen:
    """Logs an error once, until what failed went well or fails in another way."""

    def __init__(self, event: str, meanwhile: str) -> None:
        """Args: `event` is the line's name, `meanwhile` what callers see while it lasts."""
        self._event = event
        self._meanwhile = meanwhile
        self._told = ""

    def transient(self, error: Exception, detail: str) -> TransientError:
        """Log it where it is news; what to answer instead, which says nothing of what is inside."""
        kind = type(error).__name__
        if kind != self._told:
            self._told = kind
            _log.error(self._event, detail=f"{self._meanwhile} {_ADVICE}", error_type=kind, exc_info=error)
        return TransientError(detail, Reason.INTERNAL)

    def over(self) -> None:
        """What failed went well."""
        self._told = ""
