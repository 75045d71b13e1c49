"""PostgreSQL from the wheel's binaries, as a process of our own."""

from deploy.local.postgres.options import Options
from deploy.local.postgres.server import Postgres

__all__ = ["Options", "Postgres"]
