"""sendNotification on notifications.requests: the same body as over HTTP, behind the header `dialect: sam`.

Who may write to the topic speaks for the whole tenant, so no user's role is asked for. A large emailBody is uploaded
first (`POST /v1/bodies`), and the header `email-body` names it.
"""

import dataclasses
import re
from collections.abc import Iterator, Mapping

from services.ingest import documents
from services.ingest.acceptance import Refused, Valid
from services.ingest.dialects.sam import faults, meaning, reading
from services.ingest.dialects.sam.body import SendNotification
from services.ingest.dialects.sam.faults import Fault, invalid
from services.ingest.doors.topic_records import Arrived
from services.ingest.send_notifications import SendNotifications
from shared.contract.outcomes import Reason

NAME = "sam"
KEY_HEADER = "idempotency-key"
BODY_HEADER = "email-body"
_REFERENCE = re.compile(r"[0-9a-f]{64}")


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
        body_ref = headers.get(BODY_HEADER)
        if body_ref is not None and (faults := list(_reference_faults(sent, body_ref))):
            return _refused(faults)
        meant = await self._notifications.meant(tenant, sent, None, body_ref if sent.uses_body else None)
        if isinstance(meant, list):
            return _refused(meant)
        key = headers.get(KEY_HEADER)
        if key is None:
            return meant.valid
        if not key.isprintable() or not 1 <= len(key) <= _LONGEST_KEY:
            return _refused([invalid(KEY_HEADER, f"must be one line of 1 to {_LONGEST_KEY} characters")])
        document = documents.parsed(raw)
        payload_hash = documents.canonical_hash([document, body_ref] if body_ref else document)
        return dataclasses.replace(meant.valid, key=(meaning.SOURCE, key), payload_hash=payload_hash)


_LONGEST_KEY = 255


def _reference_faults(sent: SendNotification, body_ref: str) -> Iterator[Fault]:
    """What is wrong with a body that was uploaded before, by what is said beside it."""
    if not _REFERENCE.fullmatch(body_ref):
        yield invalid(BODY_HEADER, "must be an id that POST /v1/bodies answered: 64 hexadecimal digits")
    if sent.used_body is not None:
        yield invalid(BODY_HEADER, "names an emailBody, and the body has one; send one of them")


def _refused(found: list[Fault]) -> Refused:
    return Refused(Reason.INVALID, faults.as_field_errors(found))
