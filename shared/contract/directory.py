"""Words of the directory: the kinds of groups the seeds send to, and how somebody stands to a group."""

from enum import StrEnum


class GroupKind(StrEnum):
    """What a group is. A group's id is unique within its kind."""

    COMPANY = "company"
    TEAM = "team"
    EVENT = "event"
    EVENT_TEAM = "event_team"
    SMART_LIBRARY = "smart_library"
    SMART_LIBRARY_ENTRY = "smart_library_entry"
    JOB_GROUP = "job_group"
    ASSET = "asset"


PARENT_KINDS = {
    GroupKind.EVENT_TEAM: GroupKind.EVENT,
    GroupKind.SMART_LIBRARY_ENTRY: GroupKind.SMART_LIBRARY,
}
"""What a group of these kinds is part of; the others are part of a company only."""


class MemberStatus(StrEnum):
    """How a user stands to a group. An audience reaches ACCEPTED ones (seed 001: "all Accepted attendees")."""

    ACCEPTED = "accepted"
    INVITED = "invited"
    TENTATIVE = "tentative"
    WAITLISTED = "waitlisted"
    DECLINED = "declined"
    CANCELLED = "cancelled"
