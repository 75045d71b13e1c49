"""How old the oldest delivery under way is, for the gauge every dashboard starts from."""

from services.scheduler.metrics import Metrics
from services.scheduler.store import deliveries
from shared.contract.importance import Lane
from shared.postgres.pool import Pool
from shared.runtime.metrics import SINK_CHANNELS


class Pending:
    """Reads the age of the oldest delivery under way."""

    def __init__(self, pool: Pool, metrics: Metrics) -> None:
        self._pool = pool
        self._gauge = metrics.oldest_pending

    async def measure(self) -> bool:
        """Set the gauge of every lane and channel; never asks to be repeated at once."""
        ages = await deliveries.oldest_pending(self._pool)
        for lane in Lane:
            for channel in SINK_CHANNELS:
                self._gauge.labels(lane, channel).set(ages.get((lane, channel), 0.0))
        return False
