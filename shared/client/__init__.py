"""What upstream systems import to speak to Tocsin: send notifications, ask what became of them, keep the directory.

`Tocsin` blocks and `AsyncTocsin` awaits; both repeat what failed for a while under the same idempotency key, so that
a repeat never becomes a second notification. `Console` is the operators' side, `Inbox` a
recipient's own.
"""

from shared.client.answers import Accepted, Refused, Trace
from shared.client.console import Console
from shared.client.desktop_assistant import DesktopAppNotificationUtils
from shared.client.errors import ClientError, RefusedError, UnavailableError
from shared.client.fields import NotificationFields
from shared.client.inbox import Inbox, InboxTokens
from shared.client.notify import AsyncTocsin
from shared.client.sync import Tocsin
from shared.client.transport import Patience

__all__ = [
    "Accepted",
    "AsyncTocsin",
    "ClientError",
    "Console",
    "DesktopAppNotificationUtils",
    "Inbox",
    "InboxTokens",
    "NotificationFields",
    "Patience",
    "Refused",
    "RefusedError",
    "Tocsin",
    "Trace",
    "UnavailableError",
]
