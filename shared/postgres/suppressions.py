"""Addresses not to be written to: told by bounces and complaints in the console, by a relay's answer in the sink."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from shared.postgres.dead_letters import storable
from shared.postgres.pool import Connection

_LONGEST_DETAIL = 500


class Cause(StrEnum):
    """Why an address is suppressed. REFUSED: the relay said at RCPT that there is no such mailbox."""

    BOUNCE = "bounce"
    COMPLAINT = "complaint"
    REFUSED = "refused"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True)
class Suppressed:
    """An address and why nothing is sent there; `delivery` is the one that showed it."""

    tenant: str
    address: str
    cause: Cause
    detail: str
    delivery: UUID | None = None


# What is suppressed already keeps its first reason: it says since when nothing was sent.
_ADD = """
INSERT INTO suppressions (tenant, hash, address, reason, detail, delivery_id, at)
SELECT DISTINCT ON (tenant, address_hash(tenant, address))
  tenant, address_hash(tenant, address), address, reason, detail, delivery_id, db_now()
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::uuid[])
  AS told (tenant, address, reason, detail, delivery_id)
ORDER BY tenant, address_hash(tenant, address)
ON CONFLICT (tenant, hash) DO NOTHING
"""


async def add(connection: Connection, told: Sequence[Suppressed]) -> None:
    """Suppress addresses within the caller's transaction; repeating it changes nothing."""
    if told:
        rows = [
            (each.tenant, storable(each.address), each.cause, storable(each.detail)[:_LONGEST_DETAIL], each.delivery)
            for each in told
        ]
        await connection.execute(_ADD, *(list(column) for column in zip(*rows, strict=True)))
