"""A whole system as a user starts it, populated, and quick to take up what a killed part of it held."""

import contextlib
import os
import pathlib
from collections.abc import AsyncIterator

from deploy.local import trial
from tests.support import plugin, repository

USERS = 20
ADMINS = ("boss", "deputy")

_TOLD = {
    "TOCSIN_SCRIPT_ATTEMPTS": "2",
    "TOCSIN_SCRIPT_RETRY_SECONDS": "0.1",
    "TOCSIN_SCRIPT_SECONDS": "5",
    "TOCSIN_LEASE_SECONDS": "8",
    "TOCSIN_SEND_TIMEOUT_SECONDS": "3",
    "TOCSIN_WAIT_FOR_DESTINATION_SECONDS": "2",
    "TOCSIN_SESSION_TIMEOUT_SECONDS": "6",
    "TOCSIN_HEARTBEAT_SECONDS": "2",
}


@contextlib.asynccontextmanager
async def running(folder: pathlib.Path) -> AsyncIterator[trial.Trial]:
    """The system, with the package of scripts and jobs installed below `folder`.

    `user-0`… have an address and a webhook each, `boss` and `deputy` are admins, and `robot` is a system user.
    """
    path = os.pathsep.join([str(repository.ROOT), plugin.installed(folder)])
    async with trial.started(environment={"PYTHONPATH": path, **_TOLD}) as system:
        await system.populate(USERS)
        for user in ADMINS:
            address = f"{user}@example.test"
            await system.console("PUT", f"/v1/users/{user}", {"email": address, "roles": ["COMPANY_ADMIN"]})
        await system.console("PUT", "/v1/users/robot", {"kind": "system"})
        yield system
