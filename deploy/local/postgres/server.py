"""The server's process: make the cluster once, start, wait until it answers, stop or kill, start again."""

import asyncio
import contextlib
import hashlib
import os
import pathlib
import pwd
import signal
import tempfile
import time
import types
import urllib.parse
from typing import Self

import asyncpg

from deploy.local import child, child_server, errors
from deploy.local.postgres import binaries
from deploy.local.postgres import options as server_options

OWNER = "tocsin"
SOCKET_PATH_LIMIT = 90  # the kernel's 108 minus the socket's own name
# After a kill -9 the server's children need a moment to notice and end; until then it refuses to start.
OLD_CHILDREN = ("pre-existing shared memory block", 'lock file "postmaster.pid" already exists')


class Postgres(child_server.ChildServer):
    """One PostgreSQL server over a folder; superuser and database are both `tocsin`, reached by a Unix socket.

    Trust authentication: who reaches the socket's folder (mode 0700) is the owner.
    """

    def __init__(self, folder: pathlib.Path, options: server_options.Options | None = None) -> None:
        super().__init__("PostgreSQL", folder, "postgres.log")
        self.options = options or server_options.Options()

    def dsn(self, user: str = OWNER, database: str = OWNER) -> str:
        """The address of a database as a user; known before the start, and the same after a restart."""
        query = {"host": str(self.sockets)} | ({"port": str(self.options.port)} if self.options.port else {})
        return f"postgresql://{user}@/{database}?{urllib.parse.urlencode(query, safe='/')}"

    @property
    def sockets(self) -> pathlib.Path:
        """The folder of the Unix socket: in the state folder, or a short one where that path is too long."""
        natural = self.folder / "socket"
        if len(os.fsencode(natural)) <= SOCKET_PATH_LIMIT:
            return natural
        digest = hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:12]
        return pathlib.Path(tempfile.gettempdir()) / f"tocsin-{os.getuid()}-{digest}"

    async def start(self) -> str:
        """Start and wait until it answers; returns the owner's DSN."""
        programs = await asyncio.to_thread(binaries.folder)
        self._own_folders()
        if not (self.folder / "data" / "PG_VERSION").exists():
            await self._make_cluster(programs)
        deadline = time.monotonic() + child_server.READY_SECONDS
        while not await self._serve(programs):
            if time.monotonic() > deadline:
                raise errors.LocalStackError(f"an earlier PostgreSQL over {self.folder} does not end; see {self._log}")
            await asyncio.sleep(child_server.POLL_SECONDS)
        await self._make_database()
        return self.dsn()

    async def stop(self, grace_seconds: float = child_server.STOP_SECONDS) -> None:
        """End cleanly, closing every connection; killed when the grace has passed."""
        if self._child is not None:
            await self._child.stop(signal.SIGINT, grace_seconds)
        if self.sockets.parent != self.folder and self.sockets.exists():
            with contextlib.suppress(OSError):
                self.sockets.rmdir()

    def _own_folders(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in (self.sockets, self.folder / "data"):
            path.mkdir(mode=0o700, exist_ok=True)
            if path.lstat().st_uid not in {os.geteuid(), _account_id()} or path.is_symlink():
                raise errors.LocalStackError(f"{path} belongs to somebody else: remove it or choose another --state")
            if os.geteuid() == 0:
                os.chown(path, _account_id(), -1)

    async def _make_cluster(self, programs: pathlib.Path) -> None:
        flags = ["--username", OWNER, "--auth=trust", "--encoding=UTF8", "--locale=C", "--locale-provider=builtin"]
        flags += ["--builtin-locale=C.UTF-8", "--no-instructions", "--no-sync"]
        with self._log.open("ab") as log, _Handles(self) as at:
            argv = [str(programs / "initdb"), "-D", str(at.data), *flags]
            making = child.Child(self._command(argv, at), log)
            code = await making.stop(signal.SIGCONT, child_server.READY_SECONDS)
        if code != 0:
            raise errors.LocalStackError(f"initdb failed with {code}: {self._last_lines(0)}")

    async def _serve(self, programs: pathlib.Path) -> bool:
        """Start the postmaster and wait until it answers; False when it is too early after a kill."""
        with _Handles(self) as at:
            argv = [str(programs / "postgres"), "-D", str(at.data)]
            argv += server_options.arguments(self.options, at.sockets)
            return await self._launched(self._command(argv, at), self._served)

    async def _served(self, said: str) -> bool | None:
        if self.returncode is not None:
            return False if any(sign in said for sign in OLD_CHILDREN) else None
        with contextlib.suppress(OSError, asyncpg.PostgresError):
            connection = await asyncpg.connect(self.dsn(database="postgres"), timeout=5)
            await connection.close()
            return True
        return None

    async def _make_database(self) -> None:
        connection = await asyncpg.connect(self.dsn(database="postgres"))
        try:
            if not await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", OWNER):
                await connection.execute("CREATE DATABASE tocsin")
        finally:
            await connection.close()

    def _command(self, argv: list[str], at: "_Handles") -> child.Command:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
        # SIGINT is PostgreSQL's fast shutdown; after a SIGKILL its System V segment would stay behind.
        return child.Command(
            argv=argv,
            environment=kept | {"LC_ALL": "C"},
            death_signal=signal.SIGINT,
            user=binaries.account(),
            pass_fds=at.descriptors,
            folder=pathlib.Path("/"),
        )


class _Handles:
    """The data and socket folders as the server names them.

    Root's server runs as another account, which may not be allowed to walk to the state folder (below /root, say).
    It gets the open folders instead and names them through /proc, so that nobody's permissions need widening.
    """

    def __init__(self, server: Postgres) -> None:
        self._paths = (server.folder / "data", server.sockets)
        self.descriptors: tuple[int, ...] = ()

    def __enter__(self) -> Self:
        if binaries.account() != "-":
            self.descriptors = tuple(os.open(path, os.O_RDONLY | os.O_DIRECTORY) for path in self._paths)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None
    ) -> None:
        for descriptor in self.descriptors:
            os.close(descriptor)

    @property
    def data(self) -> pathlib.Path:
        return self._named(0)

    @property
    def sockets(self) -> pathlib.Path:
        return self._named(1)

    def _named(self, position: int) -> pathlib.Path:
        if not self.descriptors:
            return self._paths[position]
        return pathlib.Path("/proc/self/fd") / str(self.descriptors[position])


def _account_id() -> int:
    return os.geteuid() if binaries.account() == "-" else pwd.getpwnam(binaries.account()).pw_uid
