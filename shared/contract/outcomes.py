"""Words for what became of a request, a delivery, an attempt: log field, metric label and database value at once."""

from enum import StrEnum


class Channel(StrEnum):
    """What reaches a recipient."""

    INBOX = "inbox"
    PUSH = "push"
    EMAIL = "email"


class Door(StrEnum):
    """Where a request came in."""

    HTTP = "http"
    TOPIC = "topic"


class DeliveryState(StrEnum):
    """Where a delivery stands; LEASED and RETRY are on the way, the others are ends."""

    LEASED = "leased"
    RETRY = "retry"
    SENT = "sent"
    DEAD = "dead"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    SKIPPED = "skipped"


class AttemptOutcome(StrEnum):
    """How one attempt ended. AMBIGUOUS: it may have arrived, nobody can tell."""

    DELIVERED = "delivered"
    RETRY = "retry"
    FAILED = "failed"
    AMBIGUOUS = "ambiguous"


class NotificationState(StrEnum):
    """C4: whether somebody has to act, and whether somebody did."""

    NO_ACTION = "no_action"
    ACTION_REQUIRED = "action_required"
    ACTION_COMPLETE = "action_complete"


class EmailPlan(StrEnum):
    """How a notification reaches a recipient by mail, if at all."""

    NONE = "none"
    IMMEDIATE = "immediate"
    DIGEST = "digest"


class Reason(StrEnum):
    """Why something was refused, dropped, retried, ended or skipped."""

    INVALID = "invalid"
    UNDECODABLE = "undecodable"
    UNKNOWN_TENANT = "unknown_tenant"
    UNSUPPORTED = "unsupported"
    FORBIDDEN = "forbidden"
    TOO_LARGE = "too_large"
    KEY_CONFLICT = "key_conflict"
    DUPLICATE = "duplicate"
    SWITCHED_OFF = "switched_off"

    UNKNOWN_RECIPIENT = "unknown_recipient"
    UNKNOWN_AUDIENCE = "unknown_audience"
    EMPTY_AUDIENCE = "empty_audience"
    NO_ADDRESS = "no_address"
    SUPPRESSED = "suppressed"
    UNSUBSCRIBED = "unsubscribed"
    SENDER_MISCONFIGURED = "sender_misconfigured"
    TEMPLATE_UNFILLABLE = "template_unfillable"
    BODY_GONE = "body_gone"
    NO_ENDPOINT = "no_endpoint"
    SYSTEM_USER = "system_user"
    SEND_NOT_SET = "send_not_set"
    CHANNEL_NOT_ASKED = "channel_not_asked"
    CLASS_SENDS_NO_EMAIL = "class_sends_no_email"
    LEFT_TO_SCRIPT = "left_to_script"
    DISMISSED = "dismissed"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    EMPTY_DIGEST = "empty_digest"
    TENANT_PAUSED = "tenant_paused"
    QUIET_HOURS = "quiet_hours"
    DESTINATION_FULL = "destination_full"
    HANDED_BACK = "handed_back"
    ENDPOINT_DISABLED = "endpoint_disabled"
    ENDPOINT_GONE = "endpoint_gone"

    KAFKA_UNAVAILABLE = "kafka_unavailable"
    POSTGRES_UNAVAILABLE = "postgres_unavailable"
    DESTINATION_UNAVAILABLE = "destination_unavailable"
    DESTINATION_REFUSED = "destination_refused"
    DESTINATION_FORBIDDEN = "destination_forbidden"
    RATE_LIMITED = "rate_limited"
    TIMEOUT = "timeout"
    AMBIGUOUS = "ambiguous"
    LEASE_RAN_OUT = "lease_ran_out"
    ATTEMPTS_EXHAUSTED = "attempts_exhausted"
    REDRIVEN = "redriven"
    ORIGINAL_GONE = "original_gone"
    SCRIPT_FAILED = "script_failed"
    WINDOW_OPEN = "window_open"
    NOT_CLAIMED_YET = "not_claimed_yet"
    INTERNAL = "internal"
