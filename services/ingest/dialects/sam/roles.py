"""Who may send (B2): roles of users, and for which companies."""

from collections.abc import Collection
from dataclasses import dataclass

from services.ingest.dialects.sam.faults import Exceptions, Fault
from shared.sam_access import OF_A_COMPANY, SUPER_USER

TOKEN_HEADER = "x-nextinteract-authtoken"  # noqa: S105 - a header's name
KEY_HEADER = "x-nextinteract-company-api-key"


@dataclass(frozen=True, slots=True)
class Sender:
    """Who presents a token and a company's key of one tenant.

    `companies` are those the user is connected to: accepted member of the company's group. `company` is the key's.
    """

    tenant: str
    user: str
    roles: Collection[str]
    companies: Collection[str]
    company: str


def may_send(sender: Sender) -> Fault | None:
    """Whether any of the user's roles lets the user send at all, to some company."""
    if SUPER_USER in sender.roles:
        return None
    if not OF_A_COMPANY.intersection(sender.roles):
        allowed = ", ".join(sorted([SUPER_USER, *OF_A_COMPANY]))
        return _refused(TOKEN_HEADER, f"the user has none of the roles {allowed}")
    if sender.company not in sender.companies:
        return _refused(KEY_HEADER, f"the user is not connected to the key's company {sender.company}")
    return None


def may_send_to(sender: Sender, company: str) -> Fault | None:
    """Whether the user may send to a company: a super user to each, others to their own, by its own key."""
    if SUPER_USER in sender.roles or company == sender.company:
        return None
    return _refused("key", f"belongs to company {company}; the user may only send to company {sender.company}")


def confined_to(sender: Sender | None) -> str | None:
    """The company whose users alone the sender may name; None for whom may name all of the tenant."""
    return None if sender is None or SUPER_USER in sender.roles else sender.company


def _refused(field: str, detail: str) -> Fault:
    return Fault(Exceptions.INSUFFICIENT_PERMISSIONS, field, detail)
