"""The way of a notification through intake as a value: adding a stage is adding its name."""

from collections.abc import Callable

from services.dispatcher import stages
from services.dispatcher.stages import Arrival, Dropped

STAGES: tuple[Callable[[Arrival], Arrival | Dropped], ...] = (
    stages.not_cancelled,
    stages.not_expired,
)


def admitted(arrival: Arrival) -> Arrival | Dropped:
    """The arrival as it leaves the last stage, or where and why it was dropped."""
    for stage in STAGES:
        result = stage(arrival)
        if isinstance(result, Dropped):
            return result
        arrival = result
    return arrival
