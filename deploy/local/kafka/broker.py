"""The broker's process: format once, start, wait until it serves, stop or kill, start again from the same folder."""

import asyncio
import base64
import os
import pathlib
import signal
import subprocess
import uuid

from deploy.local import child, child_server, errors, ports
from deploy.local.kafka import archive, groups, jars, java, properties

ENDED_BY_TERM = 128 + signal.SIGTERM  # how a JVM ends whose shutdown ran to its end
READY_LINE = "Kafka Server started"
PORT_TAKEN = "Address already in use"
LOGGING = pathlib.Path(__file__).with_name("log4j2.properties")
# The first compiler only: the second one costs seconds of both cores at each start.
FLAGS = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData", f"-Dlog4j2.configurationFile={LOGGING}")


class Kafka(child_server.ChildServer):
    """One KRaft broker over a folder that holds its logs, its properties and its output.

    `port` fixes the client port; otherwise the first start chooses one, and later starts of this object keep it.
    `advertised` (`host:port`) is told to clients that come through a proxy.
    """

    def __init__(
        self, folder: pathlib.Path, *, port: int | None = None, advertised: str | None = None, heap_mb: int = 512
    ) -> None:
        super().__init__("Kafka", folder, "kafka.log")
        self.port = port
        self._advertised = advertised
        self._heap_mb = heap_mb
        self._archive: archive.Archive

    @property
    def bootstrap(self) -> str:
        """`host:port` for clients; known once started."""
        return self._advertised or f"{ports.LOOPBACK}:{self.port}"

    @property
    def cluster_id(self) -> str:
        """What tells this cluster from one made anew in another folder; known once started."""
        lines = (self.folder / "logs" / "meta.properties").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if not line.startswith("#"))["cluster.id"]

    async def start(self) -> str:
        """Start and wait until clients are served; returns `bootstrap`.

        Raises:
            LocalStackError: Java or Maven is missing, or the broker ended or was not ready in time.
        """
        found = await asyncio.to_thread(java.find)
        folder = await asyncio.to_thread(jars.fetched)
        self._archive = archive.Archive(folder, found.report)
        self.folder.mkdir(parents=True, exist_ok=True)
        chosen = self.port is None
        self._configure()
        classpath = os.pathsep.join(sorted(map(str, folder.glob("*.jar"))))
        tool = [found.program, *FLAGS, "-cp", classpath]
        new = await self._format(tool)
        for _ in range(3 if chosen else 1):
            if await self._run(tool):
                if new and self._advertised is None:  # a proxy in between may not listen yet
                    await groups.ready(self.bootstrap)
                return self.bootstrap
            if chosen:  # somebody else took the port in between
                self.port = None
                self._configure()
        raise errors.LocalStackError(f"Kafka's port {self.port} is taken; log: {self._log}")

    async def stop(self, grace_seconds: float = child_server.STOP_SECONDS) -> None:
        """End cleanly; killed when the grace has passed."""
        if self._child is not None:
            code = await self._child.stop(signal.SIGTERM, grace_seconds)
            ended = self._archive.keep if code == ENDED_BY_TERM else self._archive.discard
            await asyncio.to_thread(ended)

    async def kill(self) -> None:
        """SIGKILL, as a crash would."""
        await super().kill()
        if self._child is not None:
            await asyncio.to_thread(self._archive.discard)

    @property
    def _properties(self) -> pathlib.Path:
        return self.folder / "server.properties"

    def _configure(self) -> None:
        self.port = ports.free_port() if self.port is None else self.port
        controller_port = ports.free_port()
        text = properties.render(self.folder / "logs", self.port, controller_port, self._advertised)
        self._properties.write_text(text)

    async def _format(self, tool: list[str]) -> bool:
        """Make the cluster's folder; False when there is one."""
        if (self.folder / "logs" / "meta.properties").exists():
            return False
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
        arguments = ["format", "--config", str(self._properties), f"--cluster-id={cluster}"]
        command = [*tool, "kafka.tools.StorageTool", *arguments]
        run = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
        if run.returncode != 0:
            raise errors.LocalStackError(f"Kafka could not format {self.folder}: {run.stdout}{run.stderr}".strip())
        return True

    async def _run(self, tool: list[str]) -> bool:
        """Start the JVM; False when a port was taken."""
        flags = [f"-Xmx{self._heap_mb}m", f"-Xms{self._heap_mb // 4}m", *self._archive.flags()]
        argv = [tool[0], *flags, *tool[1:], "kafka.Kafka", str(self._properties)]
        return await self._launched(child.Command(argv=argv), self._served)

    async def _served(self, said: str) -> bool | None:
        if READY_LINE in said:
            return True
        return False if self.returncode is not None and PORT_TAKEN in said else None
