"""A setback is told once per change and waited out for longer each time."""

import asyncio

from structlog.testing import capture_logs

from shared.contract.outcomes import Reason
from shared.errors import TransientError
from shared.retry import Backoff
from shared.runtime.setbacks import Setbacks
from shared.runtime.sweeping import sweeping


def away(what: str) -> TransientError:
    return TransientError(f"{what} is away", Reason.KAFKA_UNAVAILABLE)


def test_the_same_setback_is_told_once_and_another_again() -> None:
    setbacks = Setbacks(Backoff(0.1, 1.0), "work_waits", part="door")
    with capture_logs() as told:
        for what in ("Kafka", "Kafka", "PostgreSQL", "Kafka"):
            setbacks.wait_seconds(away(what))
    assert [line["error"] for line in told] == ["Kafka is away", "PostgreSQL is away", "Kafka is away"]
    assert {(line["event"], line["part"], line["reason"]) for line in told} == {
        ("work_waits", "door", Reason.KAFKA_UNAVAILABLE)
    }


def test_waits_grow_until_the_work_went_well() -> None:
    setbacks = Setbacks(Backoff(1.0, 8.0), "work_waits")
    waits = [setbacks.wait_seconds(away("Kafka")) for _ in range(6)]
    bounds = [(0.5, 1), (1, 2), (2, 4), (4, 8), (4, 8), (4, 8)]
    assert all(least <= wait <= most for wait, (least, most) in zip(waits, bounds, strict=True))
    setbacks.over()
    with capture_logs() as told:
        assert setbacks.wait_seconds(away("Kafka")) <= 1
    assert len(told) == 1, "after a success the same setback is news"


def test_no_wait_is_shorter_than_the_setback_asks_for_and_one_that_asks_for_nothing_is_tried_soon() -> None:
    setbacks = Setbacks(Backoff(0.1, 1.0), "work_waits")
    assert setbacks.wait_seconds(TransientError("too much poison", Reason.UNDECODABLE, 5.0)) == 5.0
    setbacks.over()
    assert setbacks.wait_seconds(away("Kafka")) <= 0.1


async def test_a_sweep_goes_on_at_once_while_there_is_more_and_bears_setbacks() -> None:
    stop = asyncio.Event()
    answers = [True, away("Kafka"), True, away("Kafka"), False]

    async def step() -> bool:
        answer = answers.pop(0)
        if not answers:
            stop.set()
        if isinstance(answer, TransientError):
            raise answer
        return bool(answer)

    with capture_logs() as told:
        async with asyncio.timeout(5):
            await sweeping("rows", step, wait_seconds=3_600)(stop)
    assert answers == []
    assert [(line["event"], line["sweep"]) for line in told] == [("sweep_will_be_repeated", "rows")] * 2
