"""Health says what is wrong, also while a service is still adding and removing checks."""

from shared.runtime.health import Health


async def test_a_check_that_removes_another_while_they_run_does_not_break_the_answer() -> None:
    health = Health()

    async def finishes_starting() -> str | None:
        health.ready.pop("start", None)
        return None

    async def starting() -> str | None:
        return "still starting"

    health.ready.update({"first": finishes_starting, "start": starting})

    assert await health.problems(health.ready) == {"start": "still starting"}
    assert await health.problems(health.ready) == {}
