"""Fixtures every folder shares. Nothing starts before a test asks for it."""

import os
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from shared.runtime.settings import KafkaSettings
from tests.support import databases, scratch, stack, topics

pytest_plugins = ["pytester", "tests.support.features", "tests.support.spreading"]

scratch.settle()


def pytest_sessionfinish() -> None:
    """End the run's servers; workers of xdist leave that to the run itself."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        stack.stop()


@pytest.fixture(scope="session")
def kafka_bootstrap() -> str:
    """`host:port` of the run's Kafka."""
    return stack.address("kafka")


@pytest.fixture(scope="session")
def postgres_server() -> str:
    """The owner's DSN of the run's PostgreSQL; tests use `database`."""
    return stack.address("postgres")


@pytest_asyncio.fixture
async def database(postgres_server: str) -> AsyncIterator[databases.Database]:
    """A migrated database of this test's own."""
    async with databases.cloned(postgres_server) as fresh:
        yield fresh


@pytest_asyncio.fixture
async def topic_prefix(kafka_bootstrap: str) -> AsyncIterator[str]:
    """A prefix for topics (`TOCSIN_TOPIC_PREFIX`) and groups of this test's own."""
    async with topics.prefixed(kafka_bootstrap) as prefix:
        yield prefix


@pytest_asyncio.fixture
async def kafka_settings(kafka_bootstrap: str, topic_prefix: str) -> KafkaSettings:
    """Settings of a Kafka where the contract's topics exist for this test alone."""
    settings = KafkaSettings(kafka_bootstrap=kafka_bootstrap, topic_prefix=topic_prefix)
    await topics.create(settings)
    return settings
