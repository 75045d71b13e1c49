"""Consumer positions in the transaction of the work, so that Kafka can be rewound to a restored database (X16)."""

from collections.abc import Sequence

from shared.postgres.pool import Connection

# Sorted, so that two writers of the same rows lock them in the same order.
_WRITE = """
INSERT INTO positions (consumer_group, topic, partition, "offset")
SELECT $1, read.topic, read.partition, read."offset"
FROM unnest($2::text[], $3::integer[], $4::bigint[]) AS read (topic, partition, "offset")
ORDER BY read.topic, read.partition
ON CONFLICT (consumer_group, topic, partition) DO UPDATE SET "offset" = excluded."offset"
"""


async def write(connection: Connection, group: str, read: Sequence[tuple[str, int, int]]) -> None:
    """Note within the caller's transaction how far a group has read.

    Args:
        connection: inside the transaction of the work.
        group: the consumer group's name in the contract, without prefix.
        read: topic (without prefix), partition and the next offset to read, each partition once.
    """
    if read:
        topics, partitions, offsets = zip(*read, strict=True)
        await connection.execute(_WRITE, group, topics, partitions, offsets)
