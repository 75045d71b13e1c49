"""Loopback ports for the embedded stack."""

import random
import socket

LOOPBACK = "127.0.0.1"
# Below the range the kernel hands to outgoing connections (32768 up on Linux, 49152 up elsewhere): a port
# chosen here is not taken by a passing client while its server is still starting.
CHOICE = range(15_000, 32_000)
TRIES = 200
HIGHEST = 65_535


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # A stopped server's closed connections linger in TIME_WAIT; servers set this option too.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_port(preferred: int | None = None) -> int:
    """A port nobody listens on: the preferred one where that is free, else one at random.

    Raises:
        OSError: no free port was found.
    """
    if preferred is not None and is_free(preferred):
        return preferred
    choice = random.SystemRandom()
    for _ in range(TRIES):
        port = choice.choice(CHOICE)
        if is_free(port):
            return port
    raise OSError(f"no free loopback port between {CHOICE.start} and {CHOICE.stop}")
