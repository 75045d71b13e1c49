"""Where Tocsin may connect because a user said so (P13): the policy for addresses that users gave, as plain functions.

The console asks it when an address is registered. The sink asks it again before every send, and once more for every
network address the name resolves to, because what a name means can change between the two.
"""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

_ADDRESS = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?(?P<rest>[/?][!-~]*)?",
    re.IGNORECASE,
)
"""Stricter than RFC 3986, so that no two parsers can read two different hosts out of what it matches."""

_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")
_LONGEST_ADDRESS = 2048
_LARGEST_PORT = 65_535
_HTTPS_PORT = 443

# IANA's special-purpose registries as of 2026, and two addresses at which clouds answer their guests.
_REFUSED_V4 = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16",
        "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24",
        "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",
    )
)  # fmt: skip
_GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")
"""All that is unicast and global; loopback, link-local, unique local, mapped, translated and multicast lie outside."""
_REFUSED_V6 = tuple(
    ipaddress.IPv6Network(network)
    for network in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
)


class ForbiddenDestinationError(ValueError):
    """An address that users may not have Tocsin connect to; the text says why, without the address."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Whom an address means; `host` is lower case, without brackets and trailing dot."""

    scheme: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Policy:
    """What is allowed: https on port 443 to public addresses, and anything at `private_hosts` (for development)."""

    private_hosts: frozenset[str] = field(default=frozenset())

    def destination(self, address: str) -> Destination:
        """The destination of a written address.

        Raises:
            ForbiddenDestinationError: not an http address in plain form, or not one that may be reached.
        """
        found = _parsed(address)
        if found.host in self.private_hosts:
            return found
        if found.scheme != "https":
            raise ForbiddenDestinationError("only https addresses are allowed")
        if found.port != _HTTPS_PORT:
            raise ForbiddenDestinationError("only port 443 is allowed")
        literal = _literal(found.host)
        if literal is not None and not _is_public(literal):
            raise ForbiddenDestinationError("the address is not a public one")
        return found

    def permits(self, host: str, address: str) -> bool:
        """Whether `host` may be reached at the network address it resolved to."""
        if _normal(host) in self.private_hosts:
            return True
        try:
            return _is_public(ipaddress.ip_address(address))
        except ValueError:
            return False


def policy(private_hosts: str) -> Policy:
    """The policy of a setting: comma-separated hosts that may be private and spoken to in plain http."""
    return Policy(frozenset(_normal(host.strip()) for host in private_hosts.split(",") if host.strip()))


def _parsed(address: str) -> Destination:
    if len(address) > _LONGEST_ADDRESS:
        raise ForbiddenDestinationError(f"the address is longer than {_LONGEST_ADDRESS} characters")
    matched = _ADDRESS.fullmatch(address)
    if matched is None:
        raise ForbiddenDestinationError(
            "the address must be https://host/path in ASCII, without user name, fragment or spaces; "
            "write other hosts in their xn-- form"
        )
    scheme, host = matched["scheme"].lower(), _normal(matched["host"])
    port = int(matched["port"] or (_HTTPS_PORT if scheme == "https" else 80))
    if not 0 < port <= _LARGEST_PORT:
        raise ForbiddenDestinationError("the port is not between 1 and 65535")
    if _literal(host) is None and not _is_name(host):
        raise ForbiddenDestinationError("the host is neither a name nor a network address in its usual form")
    return Destination(scheme, host, port)


def _normal(host: str) -> str:
    return host.lower().removesuffix(".").removeprefix("[").removesuffix("]")


def _literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _is_name(host: str) -> bool:
    """A name whose last label is a number would be read as an IPv4 address by some (127.1, 0x7f.1, 2130706433)."""
    labels = host.split(".")
    return all(labels) and not _NUMERIC_LABEL.fullmatch(labels[-1]) and ":" not in host


def _is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if isinstance(address, ipaddress.IPv4Address):
        return not _within(address, _REFUSED_V4)
    return address in _GLOBAL_V6 and not _within(address, _REFUSED_V6)


def _within(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
    networks: Iterable[ipaddress.IPv4Network | ipaddress.IPv6Network],
) -> bool:
    return any(address in network for network in networks)
