"""Which partition a key belongs to: Kafka's own default, so that every producer puts a key in the same place."""

import random
import struct
from collections.abc import Sequence
from functools import lru_cache

_SEED = 0x9747B28C
_MULTIPLIER = 0x5BD1E995
_MASK = 0xFFFFFFFF


def partition_of(key: bytes | None, partitions: Sequence[int]) -> int:
    """The partition of a key among a topic's sorted partitions; any for a record without key."""
    if key is None:
        return random.choice(partitions)  # noqa: S311 - spreads load, keeps no secret
    return partitions[(murmur2(key) & 0x7FFFFFFF) % len(partitions)]


@lru_cache(maxsize=16_384)
def murmur2(data: bytes) -> int:
    """The 32-bit MurmurHash2 of Kafka's Java client; remembered, since a recipient's key comes again and again."""
    whole = len(data) // 4
    result = _SEED ^ len(data)
    for word in struct.unpack_from(f"<{whole}I", data):
        mixed = word * _MULTIPLIER & _MASK
        result = (result * _MULTIPLIER & _MASK) ^ ((mixed ^ mixed >> 24) * _MULTIPLIER & _MASK)
    if rest := data[whole * 4 :]:
        result = (result ^ int.from_bytes(rest, "little")) * _MULTIPLIER & _MASK
    result = (result ^ result >> 13) * _MULTIPLIER & _MASK
    return result ^ result >> 15
