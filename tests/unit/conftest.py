"""Unit tests decide, they do not connect."""

import pytest
import pytest_socket


@pytest.fixture(autouse=True)
def _no_sockets() -> None:
    """A unit test that opens a connection is no unit test; the loop's own socketpair is allowed."""
    pytest_socket.disable_socket(allow_unix_socket=True)
