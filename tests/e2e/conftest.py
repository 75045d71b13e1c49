"""One running system for the end-to-end tests of a file, started as a user starts it and seen only from outside."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from deploy.local import trial

USERS = 6


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of this folder share the system, so they run on one loop."""
    for item in items:
        if "tests/e2e/" in item.nodeid:
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def system() -> AsyncIterator[trial.Trial]:
    """The system of one file, with `user-0`… having an address and a webhook each; ended before the next one."""
    async with trial.started() as running:
        await running.populate(USERS)
        yield running
