"""Reading batches in which the name of a header is not UTF-8.

Kafka's protocol calls names of headers strings, but no broker checks them, and aiokafka raises in the middle of such a
batch: every fetch would meet it again, and one careless writer would stop a partition for good.
"""

import itertools
from collections.abc import Iterator
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords, _MemoryRecordsPy


def install() -> None:
    """Make this process's consumers bear such names; what is no text comes spelled out in hexadecimal."""
    fetcher.MemoryRecords = _Records


class _Records:
    """The batches of a fetch, as aiokafka's own, but with `_Batch` for the batches."""

    def __init__(self, fetched: bytes) -> None:
        self._fast: Any = MemoryRecords(fetched)
        self._fetched = fetched
        self._given = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._fast, name)

    def next_batch(self) -> Any:
        batch = self._fast.next_batch()
        self._given += 1
        return batch if batch is None else _Batch(batch, self._fetched, self._given - 1)


class _Batch:
    """A batch whose records are read fast, and again slowly from the first that cannot be read so."""

    def __init__(self, fast: Any, fetched: bytes, number: int) -> None:
        self._fast = fast
        self._fetched = fetched
        self._number = number

    def __getattr__(self, name: str) -> Any:
        return getattr(self._fast, name)

    def __iter__(self) -> Iterator[Any]:
        given = 0
        try:
            for record in self._fast:
                yield record
                given += 1
        except UnicodeDecodeError:
            yield from itertools.islice(self._slowly(), given, None)

    def _slowly(self) -> Iterator[Any]:
        batches: Any = _MemoryRecordsPy(self._fetched)
        for _ in range(self._number):
            batches.next_batch()
        return iter(_SlowBatch(batches._next_slice))  # noqa: SLF001 - the bytes of the batch, which no method gives


class _SlowBatch(_DefaultRecordBatchPy):  # type: ignore[misc]
    """aiokafka's reader in Python, over bytes that decode in any case."""

    def __iter__(self) -> Any:
        super().__iter__()
        self._buffer: bytearray = _Decodable(self._buffer)
        return self


class _Decodable(bytearray):
    """Bytes that spell out what is not UTF-8."""

    def __getitem__(self, place: Any) -> Any:
        found = super().__getitem__(place)
        return _Decodable(found) if isinstance(found, bytearray) else found

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:  # noqa: ARG002 - bytearray's signature
        return super().decode(encoding, "backslashreplace")
