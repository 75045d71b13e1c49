"""sendNotification on notifications.requests: the same body as over HTTP, behind the header `dialect: sam`.

Who may write to the topic speaks for the whole tenant, so no user's role is asked for. A large emailBody is uploaded
first (`POST /v1/bodies`), and the header `email-body` names it.
"""

import re
from collections.abc import Iterator, Mapping

from services.ingest.acceptance import Refused, Valid
from services.ingest.dialects.sam import faults, meaning, reading, rules
from services.ingest.dialects.sam.body import SendNotification
from services.ingest.dialects.sam.faults import Fault, invalid
from services.ingest.doors.topic_records import Arrived
from services.ingest.send_notifications import Asked, Key, SendNotifications
from shared.contract import field_errors
from shared.contract.outcomes import Reason
from shared.contract.requests import MAX_BODY_BYTES

NAME = "sam"
KEY_HEADER = "idempotency-key"
BODY_HEADER = "email-body"
_TOO_LARGE = invalid(
    "", f"the body has more than {MAX_BODY_BYTES:,} bytes; upload its emailBody (POST /v1/bodies), and name it in the "
    f"header {BODY_HEADER}"
)  # fmt: skip
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
        raw, body_ref = arrived.value or b"", headers.get(BODY_HEADER)
        if len(raw) > MAX_BODY_BYTES:
            return _refused([_TOO_LARGE])
        read = reading.read_hashed(raw, body_ref)
        if isinstance(read, list):
            return _refused(read)
        sent, payload_hash = read
        if body_ref is not None and (faults := list(_reference_faults(sent, body_ref))):
            return _refused(faults)
        name = headers.get(KEY_HEADER)
        if name is not None and (faults := rules.key_faults(KEY_HEADER, name)):
            return _refused(faults)
        key = None if name is None else Key((meaning.SOURCE, name), payload_hash)
        used_ref = body_ref if sent.uses_body else None
        meant = await self._notifications.meant(Asked(tenant, sent, None, used_ref, key))
        return _refused(meant) if isinstance(meant, list) else meant.valid


def _reference_faults(sent: SendNotification, body_ref: str) -> Iterator[Fault]:
    """What is wrong with a body that was uploaded before, by what is said beside it."""
    if not _REFERENCE.fullmatch(body_ref):
        yield invalid(BODY_HEADER, "must be an id that POST /v1/bodies answered: 64 hexadecimal digits")
    if sent.used_body is not None:
        yield invalid(BODY_HEADER, "names an emailBody, and the body has one; send one of them")


def _refused(found: list[Fault]) -> Refused:
    return Refused(Reason.INVALID, field_errors.limited(faults.as_field_errors(found)))
