"""sendNotification on notifications.requests: the same body as over HTTP, behind the header `dialect: sam`.

Who may write to the topic speaks for the whole tenant, so no user's role is asked for. A large emailBody is uploaded
first (`POST /v1/bodies`), and the header `email-body` names it.
"""

import dataclasses
from collections.abc import Mapping

from services.ingest import documents
from services.ingest.acceptance import Refused, Valid
from services.ingest.dialects.sam import faults, meaning, reading
from services.ingest.dialects.sam.faults import Fault, invalid
from services.ingest.doors.topic_records import Arrived
from services.ingest.send_notifications import SendNotifications
from shared.contract.outcomes import Reason

NAME = "sam"
KEY_HEADER = "idempotency-key"


class SamRecords:
    """Reads records of the dialect."""

    def __init__(self, notifications: SendNotifications) -> None:
        self._notifications = notifications

    async def valid(self, arrived: Arrived, headers: Mapping[str, str], tenant: str) -> Valid | Refused:
        """What a record asks, or every error by the source's names.

        Raises:
            TransientError: the directory cannot be asked; the record must be given again.
        """
        raw = arrived.value or b""
        sent = reading.read(raw)
        if isinstance(sent, list):
            return _refused(sent)
        meant = await self._notifications.meant(tenant, sent, None)
        if isinstance(meant, list):
            return _refused(meant)
        key = headers.get(KEY_HEADER)
        if key is None:
            return meant.valid
        if not key.isprintable() or not 1 <= len(key) <= _LONGEST_KEY:
            return _refused([invalid(KEY_HEADER, f"must be one line of 1 to {_LONGEST_KEY} characters")])
        payload_hash = documents.canonical_hash(documents.parsed(raw))
        return dataclasses.replace(meant.valid, key=(meaning.SOURCE, key), payload_hash=payload_hash)


_LONGEST_KEY = 255


def _refused(found: list[Fault]) -> Refused:
    return Refused(Reason.INVALID, faults.as_field_errors(found))
