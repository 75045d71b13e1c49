"""The table of topics: read it from top to bottom and you have read the system.

Retention of each topic is longer than the longest outage promised to lose nothing (an hour, and a weekend's margin)
and shorter than the shortest standard retention of the record (7 days), so that no topic keeps what the record has
let go (C11).
"""

from dataclasses import dataclass

from shared.contract import messages
from shared.contract.importance import Lane
from shared.contract.outcomes import Channel

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS

_WHOLE_REQUEST_BYTES = 2 * 1_048_576
"""A request of 1 MiB, the limit at the doors, and what ingest adds to it."""

_LOOK_MS = 10 * 60_000
"""Kafka looks for what is past retention every five minutes, and deletes a minute later."""

_ONE_ENTRY_BYTES = 262_144
"""One user, group or membership has at most a tenth of it; a dead letter of it still fits into its row."""


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic: what it carries, how it is keyed and kept, who writes and who reads.

    `model` is None where the records are somebody else's bytes. Producers and consumers are services; `upstream` and
    `others` stand for the world outside. A compacted topic keeps the last record of a key, and it too only for its
    retention.
    """

    name: str
    model: type[messages.Message | messages.RequestRejected | messages.NotificationEvent] | None
    key: str
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    partitions: int = 6
    retention_ms: int = 3 * _DAY_MS
    compacted: bool = False
    largest_record_bytes: int | None = None

    @property
    def segment_ms(self) -> int:
        """How long records go into one file; Kafka removes a file when its newest record is past retention."""
        return self.retention_ms // 6

    @property
    def gone_after_ms(self) -> int:
        """When a record is gone for certain: the newest record of its file is younger by up to `segment_ms`."""
        return self.retention_ms + self.segment_ms + _LOOK_MS

    def configuration(self) -> dict[str, str | int]:
        """How Kafka is to keep the topic, by Kafka's names."""
        limit = {} if self.largest_record_bytes is None else {"max.message.bytes": self.largest_record_bytes}
        policy = "compact,delete" if self.compacted else "delete"
        return {
            "cleanup.policy": policy, "retention.ms": self.retention_ms, "segment.ms": self.segment_ms, **limit,
        }  # fmt: skip


REQUESTS = "notifications.requests"
REJECTED = "notifications.rejected"
SCHEDULED = "notifications.scheduled"
DIGEST_WINDOWS = "digest.windows"
DIGEST_WINDOWS_CHANGELOG = "digest.windows.changelog"
INBOX_CHANGES = "inbox.changes"
EVENTS = "notifications.events"
ENTITIES_TOUCHED = "entities.touched"
DIRECTORY_CHANGES = "directory.changes"
DEAD_LETTERS = "dead.letters"


def accepted(lane: Lane) -> str:
    """The topic of accepted notifications of a lane."""
    return f"notifications.accepted.{lane}"


def deliveries(channel: Channel, lane: Lane) -> str:
    """The topic of deliveries of a channel and lane."""
    return f"deliveries.{channel}.{lane}"


TOPICS: tuple[Topic, ...] = (
    Topic(REQUESTS, None, "any", ("upstream", "dispatcher"), ("ingest",)),
    Topic(REJECTED, messages.RequestRejected, "the record's", ("ingest", "dispatcher"), ("others",)),
    *(
        Topic(
            accepted(lane),
            messages.NotificationAccepted,
            "notification id",
            ("ingest", "scheduler"),
            ("dispatcher",),
            largest_record_bytes=_WHOLE_REQUEST_BYTES,
        )
        for lane in Lane
    ),
    Topic(SCHEDULED, messages.NotificationScheduled, "notification id", ("ingest",), ("scheduler",),
          largest_record_bytes=_WHOLE_REQUEST_BYTES),
    *(
        Topic(
            deliveries(channel, lane),
            messages.DeliveryRequested,
            "tenant and recipient",
            ("dispatcher", "digest", "scheduler"),
            ("dispatcher",),
        )
        for channel in (Channel.PUSH, Channel.EMAIL)
        for lane in Lane
    ),
    Topic(DIGEST_WINDOWS, messages.WindowOpened, "window id", ("dispatcher", "digest"), ("digest",)),
    Topic(DIGEST_WINDOWS_CHANGELOG, None, "window id", ("digest",), ("digest",), compacted=True),
    # Not of what expires: every read passes it over from its own end on, a day before retention removes it.
    Topic(INBOX_CHANGES, messages.InboxChanged, "tenant and recipient",
          ("dispatcher", "inbox"), ("inbox",), retention_ms=_HOUR_MS),
    Topic(EVENTS, messages.NotificationEvent, "notification id",
          ("ingest", "dispatcher", "digest", "scheduler", "inbox", "console", "retention"), ("others",)),
    Topic(ENTITIES_TOUCHED, messages.EntityTouched, "entity", ("dispatcher", "scheduler"), ("others",)),
    Topic(DIRECTORY_CHANGES, None, "what it is about", ("upstream", "console"), ("console",), compacted=True,
          largest_record_bytes=_ONE_ENTRY_BYTES),
    Topic(DEAD_LETTERS, None, "the record's", ("ingest", "dispatcher", "digest", "scheduler", "console"), ("others",)),
)  # fmt: skip
