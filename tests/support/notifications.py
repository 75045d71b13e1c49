"""Small accepted notifications."""

import uuid
from datetime import UTC, datetime
from typing import Any

from shared.contract.importance import Importance, Lane
from shared.contract.messages import NotificationAccepted
from shared.contract.outcomes import Channel, Door

TENANT = "acme"


def accepted(*to: str, **fields: Any) -> NotificationAccepted:
    """An accepted notification of the tenant acme to some recipients; every field may be given."""
    now = datetime.now(UTC)
    given: dict[str, Any] = {
        "id": uuid.uuid4(), "at": now, "tenant": TENANT, "notification_id": uuid.uuid4(), "source": "billing",
        "name": "Enquiry", "description": "Please answer", "recipients": to, "importance": Importance.INFO,
        "class_key": "general", "channels": tuple(Channel), "lane": Lane.ROUTINE, "door": Door.HTTP, "owner": "key",
        "accepted_at": now,
    }  # fmt: skip
    return NotificationAccepted(**{**given, **fields})
