"""Which loopback port the embedded stack takes."""

import socket

import pytest

from deploy.local import errors, options, ports
from deploy.local.options import UpOptions


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


@pytest.mark.parametrize(
    ("chosen", "environment", "port"),
    [({}, {}, None), ({"ingest": 28_001}, {}, 28_001), ({}, {"TOCSIN_PORT_INGEST": "28002"}, 28_002)],
    ids=["free", "option", "environment"],
)
def test_a_port_is_free_unless_option_or_environment_fix_it(
    chosen: dict[str, int], environment: dict[str, str], port: int | None
) -> None:
    assert options.fixed_port(UpOptions(ports=chosen), "ingest", environment) == port


def test_a_fixed_port_that_is_taken_is_refused_with_what_to_do() -> None:
    with socket.socket() as other:
        other.bind((ports.LOOPBACK, 0))
        other.listen()
        taken = other.getsockname()[1]
        with pytest.raises(errors.LocalStackError, match=f"port {taken} for smtp is taken"):
            options.fixed_port(UpOptions(ports={"smtp": taken}), "smtp", {})
