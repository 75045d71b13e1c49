"""Which addresses users may have Tocsin connect to."""

import pytest

from shared import destinations
from shared.destinations import Destination, ForbiddenDestinationError

PUBLIC = destinations.Policy()
DEVELOPMENT = destinations.policy("127.0.0.1, localhost,::1")

ALLOWED = [
    "https://example.com",
    "https://example.com/",
    "https://example.com:443/hooks/1?a=b&c=%20d",
    "HTTPS://EXAMPLE.COM/Path",
    "https://example.com./trailing-dot",
    "https://xn--bcher-kva.example/hook",
    "https://under_score.example.com/",
    "https://93.184.216.34/",
    "https://8.8.8.8",
    "https://[2606:4700:4700::1111]/",
    "https://[2a00:1450:4001:82a::200e]/hook",
    "https://1.example.com/",
]

REFUSED = [
    # not https, not port 443, not http at all
    "http://example.com/", "https://example.com:8443/", "https://example.com:80/", "ftp://example.com/",
    "file:///etc/passwd", "gopher://example.com/", "javascript:alert(1)", "//example.com/", "example.com", "",
    "https://", "https:///path", "https:/example.com", "https:example.com", "https://example.com:0/",
    "https://example.com:99999/", "https://example.com:443443/",
    # two readings of one address
    "https://user@example.com/", "https://user:word@example.com/", "https://example.com@127.0.0.1/",
    "https://127.0.0.1#@example.com/", "https://example.com#fragment", "https://example.com\\@127.0.0.1/",
    "https://example.com /", " https://example.com/", "https://exam ple.com/", "https://example.com/a b",
    "https://example.com/\r\nHost: other", "https://example.com\t/", "https://example.com/\x00", "https://%31%32%37.0.0.1/",
    "https://bücher.example/", "https://ⓔxample.com/", "https://127。0。0。1/", "https://example..com/",
    "https://.example.com/", "https://" + "a" * 2100 + ".example/",
    # IPv4 in every spelling
    "https://127.0.0.1/", "https://127.1/", "https://127.0.1/", "https://2130706433/", "https://0x7f000001/",
    "https://0x7f.0.0.1/", "https://0177.0.0.1/", "https://017700000001/", "https://127.0.0.1./", "https://0/",
    "https://0.0.0.0/", "https://10.0.0.1/", "https://10.255.255.255/", "https://100.64.0.1/",
    "https://100.100.100.200/", "https://168.63.129.16/", "https://169.254.169.254/latest/meta-data/",
    "https://172.16.0.1/", "https://172.31.255.255/", "https://192.0.0.1/", "https://192.0.2.1/",
    "https://192.88.99.1/", "https://192.168.0.1/", "https://198.18.0.1/", "https://198.51.100.1/",
    "https://203.0.113.1/", "https://224.0.0.1/", "https://239.255.255.250/", "https://240.0.0.1/",
    "https://255.255.255.255/", "https://256.256.256.256/", "https://1.2.3/", "https://1.2.3.4.5/", "https://example.0x7f/",
    # IPv6, and IPv4 dressed as IPv6
    "https://[::]/", "https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://[::ffff:7f00:1]/",
    "https://[::ffff:8.8.8.8]/", "https://[::127.0.0.1]/", "https://[64:ff9b::7f00:1]/", "https://[64:ff9b:1::1]/",
    "https://[fe80::1]/", "https://[fe80::1%25eth0]/", "https://[fc00::1]/", "https://[fd00:ec2::254]/",
    "https://[fec0::1]/", "https://[ff02::1]/", "https://[100::1]/", "https://[2001::1]/", "https://[2001:10::1]/",
    "https://[2001:db8::1]/", "https://[2002:7f00:1::]/", "https://[3fff::1]/", "https://[5f00::1]/", "https://[:::]/",
    "https://::1/", "https://[example.com]/",
    # names for this machine, without an allow-list, in plain http
    "http://localhost/", "http://127.0.0.1:8080/hook",
]  # fmt: skip


@pytest.mark.parametrize("address", ALLOWED)
def test_public_https_addresses_are_allowed(address: str) -> None:
    assert PUBLIC.destination(address).port == 443


@pytest.mark.parametrize("address", REFUSED)
def test_everything_else_is_refused(address: str) -> None:
    with pytest.raises(ForbiddenDestinationError):
        PUBLIC.destination(address)


def test_the_allow_list_of_development_opens_its_hosts_and_no_other() -> None:
    assert DEVELOPMENT.destination("http://LOCALHOST:8025/hooks/ada") == Destination("http", "localhost", 8025)
    assert DEVELOPMENT.destination("http://[::1]:8025/") == Destination("http", "::1", 8025)
    for address in ("http://127.0.0.2/", "http://example.com/", "https://169.254.169.254/", "http://user@localhost/"):
        with pytest.raises(ForbiddenDestinationError):
            DEVELOPMENT.destination(address)


RESOLVED = [
    ("93.184.216.34", True), ("1.1.1.1", True), ("2606:4700:4700::1111", True), ("127.0.0.1", False),
    ("169.254.169.254", False), ("10.1.2.3", False), ("100.64.0.1", False), ("::1", False), ("fe80::1%eth0", False),
    ("::ffff:10.0.0.1", False), ("fd00::1", False), ("0.0.0.0", False), ("not an address", False), ("", False),
]  # fmt: skip


@pytest.mark.parametrize(("address", "permitted"), RESOLVED)
def test_a_public_name_may_only_mean_public_addresses(address: str, *, permitted: bool) -> None:
    assert PUBLIC.permits("example.com", address) is permitted


def test_a_name_that_means_an_allowed_private_address_is_still_refused() -> None:
    assert DEVELOPMENT.permits("localhost", "127.0.0.1")
    assert not DEVELOPMENT.permits("rebinding.example", "127.0.0.1")
