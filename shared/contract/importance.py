"""Importances and lanes: how much a notification matters and which way it takes."""

from dataclasses import dataclass
from enum import StrEnum


class Importance(StrEnum):
    """The six importances of the notification library (seed 002)."""

    DEFAULT = "default"
    INFO = "info"
    SUCCESS = "success"
    WARNING = "warning"
    DANGER = "danger"
    PRIMARY = "primary"


class Lane(StrEnum):
    """A way through the system whose load the other lanes do not feel (X3)."""

    URGENT = "urgent"
    ROUTINE = "routine"
    BULK = "bulk"


@dataclass(frozen=True, slots=True)
class ImportanceOptions:
    """How notifications of an importance are treated; the options of its node in seed 002.

    Attributes:
        retention: days a record is kept, from creation, or from completion where an action is required.
        css_class: the class an inbox applies.
        sort: place in the inbox, smallest first.
        send: whether anything but the inbox is told.
    """

    retention: int
    css_class: str
    sort: int
    send: bool


STANDARD_OPTIONS: dict[Importance, ImportanceOptions] = {
    Importance.DEFAULT: ImportanceOptions(retention=7, css_class="", sort=6, send=False),
    Importance.INFO: ImportanceOptions(retention=7, css_class="bg-info", sort=5, send=True),
    Importance.SUCCESS: ImportanceOptions(retention=7, css_class="bg-success", sort=4, send=True),
    Importance.WARNING: ImportanceOptions(retention=7, css_class="bg-warning", sort=2, send=True),
    Importance.DANGER: ImportanceOptions(retention=7, css_class="bg-danger", sort=1, send=True),
    Importance.PRIMARY: ImportanceOptions(retention=7, css_class="bg-primary", sort=3, send=True),
}
"""The table of seed 002, which a tenant may override one importance at a time."""

_URGENT = frozenset({Importance.DANGER, Importance.WARNING, Importance.PRIMARY})

BULK_RECIPIENTS = 1_000
"""Routine work of one notification to more recipients than this is bulk."""


def lane_of(importance: Importance) -> Lane:
    """The lane a notification enters by its importance alone; load may still move routine work to bulk."""
    return Lane.URGENT if importance in _URGENT else Lane.ROUTINE
