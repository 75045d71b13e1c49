"""Fetches that wait long at the broker where they ask for every partition, and briefly where they leave one out.

aiokafka leaves a partition out of a fetch while its last records are not read yet, and sends the next fetch when this
one has come back: what arrives meanwhile waits for that. A brief wait for all fetches, though, is a consumer that asks
an idle broker ten times a second; with all consumers of an installation that was a fifth of a small machine.
"""

from typing import Any

from aiokafka.consumer import consumer, fetcher

WHOLE_MS, PARTIAL_MS = 500, 100


def install() -> None:
    """Let this process's consumers wait so, whatever `fetch_max_wait_ms` they are made with."""
    consumer.Fetcher = _Fetcher


class _Fetcher(fetcher.Fetcher):  # type: ignore[misc]
    def _get_actions_per_node(self, assignment: Any) -> Any:
        self._fetch_max_wait_ms = PARTIAL_MS if self._records else WHOLE_MS
        return super()._get_actions_per_node(assignment)
