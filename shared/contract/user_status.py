"""How the order behind a user notification stands, and its colour in the inbox (B11)."""

from enum import StrEnum


class UserStatus(StrEnum):
    """The words of seed 001 for `userNotificationTypeStatusId`."""

    AVAILABLE = "Available"
    SHORTAGE = "Shortage"
    DEPLETED = "Depleted"
    SHORT_DATED = "Short Dated"


BY_NUMBER = {
    1: UserStatus.AVAILABLE,
    2: UserStatus.SHORTAGE,
    3: UserStatus.DEPLETED,
    4: UserStatus.SHORT_DATED,
}

CSS_CLASSES = {
    UserStatus.AVAILABLE: "bg-success",
    UserStatus.SHORTAGE: "bg-warning",
    UserStatus.DEPLETED: "bg-danger",
    UserStatus.SHORT_DATED: "bg-info",
}
"""Green, amber and red as the source has them; its "etc." is blue, so that no two look alike."""


def css_class(status: str | None) -> str | None:
    """The class in which an inbox shows a status; None for what is no status of the source."""
    return CSS_CLASSES[UserStatus(status)] if status in CSS_CLASSES else None
