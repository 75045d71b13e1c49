"""Which loopback port the embedded stack takes."""

import socket

from deploy.local import ports


def test_a_free_preferred_port_is_taken() -> None:
    port = ports.free_port()
    assert ports.free_port(preferred=port) == port


def test_a_taken_preferred_port_is_replaced_by_a_free_one() -> None:
    with socket.socket() as other:
        other.bind((ports.LOOPBACK, 0))
        other.listen()
        taken = other.getsockname()[1]
        chosen = ports.free_port(preferred=taken)
    assert chosen != taken
    assert chosen in ports.CHOICE
