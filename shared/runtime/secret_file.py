"""A secret that stands in a file, so that it can be changed while the service runs."""

from pathlib import Path

import structlog

_log = structlog.get_logger()


class SecretFile:
    """The content of a file without surrounding whitespace, read again when the file has changed."""

    def __init__(self, path: Path) -> None:
        """Read it for the first time; raises OSError or ValueError when there is no secret to begin with."""
        self._path = path
        self._stamp = self._seen()
        self._content = self._read()

    def current(self) -> bytes:
        """The secret; what was read last, and a warning, while the file is missing or empty."""
        try:
            stamp = self._seen()
            if stamp != self._stamp:
                self._content, self._stamp = self._read(), stamp
        except (OSError, ValueError) as error:
            _log.warning("secret_file_unreadable", path=str(self._path), error=str(error))
        return self._content

    def _seen(self) -> tuple[int, int, int]:
        status = self._path.stat()
        return status.st_mtime_ns, status.st_size, status.st_ino

    def _read(self) -> bytes:
        if content := self._path.read_bytes().strip():
            return content
        raise ValueError(f"{self._path} holds no secret")
