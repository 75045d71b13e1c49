"""The server's settings."""

import pathlib
from dataclasses import dataclass

from deploy.local.ports import LOOPBACK

FIXED = {
    "timezone": "UTC",
    "log_timezone": "UTC",
    "jit": "off",
    # Files in the state folder instead of /dev/shm: containers give that 64 MB, and a kill leaves segments there.
    "dynamic_shared_memory_type": "mmap",
    "log_min_messages": "warning",
    "log_checkpoints": "off",
}
# For tests only: a power cut loses the database, a kill of the process does not.
UNSAFE_BUT_FAST = {
    "fsync": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a caller may choose. `port` also opens loopback TCP, to every local user: no password is asked."""

    port: int | None = None
    fsync: bool = True
    max_connections: int = 300


def arguments(options: Options, sockets: pathlib.Path) -> list[str]:
    """The command line after `postgres -D …`."""
    chosen = {
        "listen_addresses": "" if options.port is None else LOOPBACK,
        "port": str(options.port or 5432),
        "unix_socket_directories": str(sockets),
        "max_connections": str(options.max_connections),
    }
    merged = FIXED | ({} if options.fsync else UNSAFE_BUT_FAST) | chosen
    return [part for key, value in merged.items() for part in ("-c", f"{key}={value}")]
