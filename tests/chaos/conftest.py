"""A running system whose services are killed."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from deploy.local.trial import Trial
from tests.support import systems


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Trial]:
    """One for the whole folder, ended with it: a test tells its own from its neighbours' by ids and names."""
    async with systems.running(tmp_path_factory.mktemp("plugin")) as running:
        yield running
