"""Which lane a notification enters: by its importance, and by the load its tenant makes (X3)."""

from collections import Counter, deque
from dataclasses import dataclass, field

from shared.contract.importance import Importance, Lane, lane_of

WINDOW_SECONDS = 10.0
_SLICE_SECONDS = 1.0
_OVER_SHARE = 0.5


def lane_for(importance: Importance, share: float, *, routine_is_behind: bool) -> Lane:
    """The lane of a notification.

    Args:
        importance: its importance.
        share: the part of the routine work of this replica's last 10 s that is its tenant's, this one included.
        routine_is_behind: whether intake of the routine lane lags by more than a second.
    """
    lane = lane_of(importance)
    if lane is Lane.ROUTINE and routine_is_behind and share > _OVER_SHARE:
        return Lane.BULK
    return lane


@dataclass(slots=True)
class Shares:
    """How much routine work each tenant asked for in the last 10 s on this replica, counted in recipients.

    What was moved to bulk counts too: else a tenant would fall below its share by being moved, return, and swing.
    """

    _slices: deque[tuple[float, Counter[str]]] = field(default_factory=deque)
    _by_tenant: Counter[str] = field(default_factory=Counter)
    _total: int = 0

    def add(self, tenant: str, recipients: int, now_seconds: float) -> float:
        """Count a notification of a tenant; its tenant's share from then on, in (0, 1]."""
        self._forget(now_seconds - WINDOW_SECONDS)
        if not self._slices or now_seconds - self._slices[-1][0] >= _SLICE_SECONDS:
            self._slices.append((now_seconds, Counter()))
        self._slices[-1][1][tenant] += recipients
        self._by_tenant[tenant] += recipients
        self._total += recipients
        return self._by_tenant[tenant] / self._total

    def _forget(self, before_seconds: float) -> None:
        while self._slices and self._slices[0][0] <= before_seconds:
            _, old = self._slices.popleft()
            self._total -= old.total()
            self._by_tenant.subtract(old)
            for tenant in old:
                if not self._by_tenant[tenant]:
                    del self._by_tenant[tenant]
