"""The state folder: where it is, who holds it, and the secrets in it."""

import contextlib
import fcntl
import os
import pathlib
import secrets
from collections.abc import Iterator, Mapping

from deploy.local import errors

CHECKOUT = pathlib.Path(__file__).parents[2]
SECRET_BYTES = 32
API_KEYS = "api-keys"
INBOX_TOKENS = "inbox-tokens"
UNSUBSCRIBING = "unsubscribing"


def locate(given: pathlib.Path | None, environment: Mapping[str, str] = os.environ) -> pathlib.Path:
    """The state folder: as given, else `TOCSIN_STATE`, else `.tocsin` in the checkout; absolute."""
    if given is not None:
        return given.expanduser().absolute()
    if named := environment.get("TOCSIN_STATE"):
        return pathlib.Path(named).expanduser().absolute()
    return CHECKOUT / ".tocsin"


class State:
    """One state folder. Only its owner may look inside: it holds secrets and the database's socket."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.endpoints = folder / "endpoints.json"
        self.ledger = folder / "processes.json"

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder; made if it is new.

        Raises:
            LocalStackError: another process holds it, or it cannot be written.
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = (self.folder / "lock").open("a+")
        except OSError as error:
            raise errors.LocalStackError(f"cannot write {self.folder} ({error.strerror}): choose --state") from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                holder = lock.read().strip() or "unknown"
                message = f"{self.folder} is in use by process {holder}: stop it, or choose another --state"
                raise errors.LocalStackError(message) from None
            lock.truncate(0)
            lock.write(f"{os.getpid()}\n")
            lock.flush()
            yield

    def secret_file(self, name: str) -> pathlib.Path:
        """The file of a random secret (hex text), made on first use; readable by its owner only."""
        path = self.folder / "secrets" / name
        if not path.exists():
            write_private(path, secrets.token_hex(SECRET_BYTES))
        return path


def write_private(path: pathlib.Path, text: str) -> None:
    """Write a file whole or not at all, readable by its owner only."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    scratch.unlink(missing_ok=True)
    with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    scratch.rename(path)
