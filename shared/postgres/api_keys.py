"""API keys as PostgreSQL keeps them, looked up for each request: a revoked key ends at once."""

from shared import access
from shared.access import StoredKey
from shared.postgres.pool import Pool, transient_when_away
from shared.runtime.secret_file import SecretFile

_BY_ID = """
SELECT tenant, id, scopes, hmac, previous_hmac, previous_until, expires_at, revoked_at, db_now() AS now
FROM api_keys WHERE id = $1
"""


class ApiKeys:
    """Finds the key that a caller presents; row-level security lets this one table be read before a tenant is known."""

    def __init__(self, pool: Pool, secret: SecretFile) -> None:
        self._pool = pool
        self._secret = secret

    async def opened_by(self, presented: str) -> StoredKey | None:
        """The key, or None when it is unknown, past its end, revoked or not the right one.

        Raises:
            TransientError: PostgreSQL is away, so that nobody can tell.
        """
        key_id = access.key_id(presented)
        if key_id is None:
            return None
        with transient_when_away():
            row = await self._pool.fetchrow(_BY_ID, key_id)
        if row is None:
            return None
        stored = StoredKey(
            row["tenant"], row["id"], frozenset(row["scopes"]), row["hmac"], row["previous_hmac"],
            row["previous_until"], row["expires_at"], row["revoked_at"],
        )  # fmt: skip
        return stored if stored.opened_by(access.key_hmac(presented, self._secret.current()), row["now"]) else None
