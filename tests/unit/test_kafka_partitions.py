"""A key has one place, whoever produces."""

import random
import tracemalloc

import pytest
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.partitioner import murmur2 as reference

from shared.contract import records
from shared.kafka import partitions


@pytest.mark.parametrize("length", range(40))
def test_the_hash_is_the_one_of_kafkas_clients(length: int) -> None:
    data = random.Random(length).randbytes(length)
    assert partitions.murmur2(data) == reference(data)


def test_a_key_goes_where_the_default_partitioner_puts_it() -> None:
    known = [0, 1, 2, 3, 4, 5]
    keys = [f'["acme","u{number}"]'.encode() for number in range(200)]
    expected = [DefaultPartitioner()(key, known, known) for key in keys]
    assert [partitions.partition_of(key, known) for key in keys] == expected
    assert set(expected) == set(known)


def test_a_record_without_key_goes_anywhere() -> None:
    assert {partitions.partition_of(None, [3, 4]) for _ in range(64)} == {3, 4}


def test_what_is_remembered_of_many_recipients_takes_little_memory() -> None:
    partitions.murmur2.cache_clear()
    tracemalloc.start()
    try:
        for number in range(1_000):
            partitions.partition_of(records.recipient_key("acme", f"member-{number}"), range(12))
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert partitions.murmur2.cache_info().currsize == 1_000
    assert held < 1_000 * 500
