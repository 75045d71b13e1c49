"""What Kafka and PostgreSQL have in common as servers: one child process over a folder, waited for until it serves."""

import abc
import asyncio
import pathlib
import time
import types
from collections.abc import Awaitable, Callable
from typing import Self

from deploy.local import child, errors

READY_SECONDS = 60.0
STOP_SECONDS = 20.0
POLL_SECONDS = 0.03


class ChildServer(abc.ABC):
    """A server over a folder of its own; an async context manager that starts and stops it."""

    def __init__(self, name: str, folder: pathlib.Path, log: str) -> None:
        """Args: `name` is what errors call it, `log` the file in its folder that its output is added to."""
        self.folder = folder.absolute()
        self._log = self.folder / log
        self._name = name
        self._child: child.Child | None = None

    @property
    def pid(self) -> int | None:
        """Its process id while there is one."""
        return self._child.pid if self._child else None

    @property
    def returncode(self) -> int | None:
        """How it ended, or None while it runs or was never started."""
        return self._child.returncode if self._child else None

    @abc.abstractmethod
    async def start(self) -> str:
        """Start and wait until it serves; returns its address.

        Raises:
            LocalStackError: it ended or did not serve in time.
        """

    @abc.abstractmethod
    async def stop(self, grace_seconds: float = STOP_SECONDS) -> None:
        """End cleanly; killed when the grace has passed."""

    async def kill(self) -> None:
        """SIGKILL, as a crash would."""
        if self._child is not None:
            await self._child.kill()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None
    ) -> None:
        await self.stop()

    async def _launched(self, command: child.Command, served: Callable[[str], Awaitable[bool | None]]) -> bool:
        """Start the process and ask until `served` knows whether it serves, given what it has logged by then.

        The process is killed when the answer is an error.

        Raises:
            LocalStackError: there was no answer within READY_SECONDS.
        """
        with self._log.open("ab") as log:
            offset = log.tell()
            self._child = child.Child(command, log)
        try:
            return await self._answer(served, offset)
        except BaseException:
            await self._child.kill()
            raise

    async def _answer(self, served: Callable[[str], Awaitable[bool | None]], offset: int) -> bool:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            ended = self.returncode is not None  # asked first: what it said at its end is then in the log
            answer = await served(await asyncio.to_thread(self._said, offset))
            if answer is not None:
                return answer
            if ended:
                last = self._last_lines(offset)
                raise errors.LocalStackError(f"{self._name} ended with {self.returncode}; {self._log} ends: {last}")
            await asyncio.sleep(POLL_SECONDS)
        raise errors.LocalStackError(f"{self._name} did not serve within {READY_SECONDS:.0f} s; see {self._log}")

    def _last_lines(self, offset: int) -> str:
        return " | ".join(self._said(offset).strip().splitlines()[-6:])

    def _said(self, offset: int) -> str:
        with self._log.open("rb") as log:
            log.seek(offset)
            return log.read().decode(errors="replace")
