"""The broker's classes as the JVM loaded them, kept so that the next start takes half the time (JEP 350)."""

import contextlib
import hashlib
import os
import pathlib
import uuid


class Archive:
    """One archive per set of jars and Java: recorded by the first broker that ends cleanly, used by all later ones.

    A JVM that cannot use it (another build at the same version) says nothing and starts without.
    """

    def __init__(self, jars: pathlib.Path, java_report: str) -> None:
        digest = hashlib.sha256(java_report.encode()).hexdigest()[:8]
        self._path = jars.with_name(f"{jars.name}.{digest}.jsa")
        self._recording: pathlib.Path | None = None

    def flags(self) -> list[str]:
        """The JVM's flags: use the archive, or record it at exit."""
        quiet = ["-Xshare:auto", "-Xlog:disable", "-Xlog:all=error:stderr"]
        if self._path.exists():
            return [*quiet, f"-XX:SharedArchiveFile={self._path}"]
        self._recording = self._path.with_name(f"{self._path.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}")
        return [*quiet, f"-XX:ArchiveClassesAtExit={self._recording}"]

    def keep(self) -> None:
        """The broker ended cleanly: what it recorded is used from now on."""
        if self._recording is not None:
            with contextlib.suppress(FileNotFoundError):
                self._recording.rename(self._path)
            self._recording = None

    def discard(self) -> None:
        """The broker was killed: what it recorded, if anything, is not whole."""
        if self._recording is not None:
            self._recording.unlink(missing_ok=True)
            self._recording = None
