"""A running system for the end-to-end tests, started as a user starts it and seen only from outside."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from deploy.local.trial import Trial
from tests.support import systems


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of this folder share the system, so they run on one loop."""
    for item in items:
        if "tests/e2e/" in item.nodeid:
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Trial]:
    """One for the whole folder, ended with it: a test tells its own from its neighbours' by ids and names."""
    async with systems.running(tmp_path_factory.mktemp("plugin")) as running:
        yield running
