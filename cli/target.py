"""Where a command finds Tocsin: what its flags say, else the environment, else a running stack's `endpoints.json`."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import SecretStr
from pydantic_settings import BaseSettings

from cli import flags
from cli.errors import CommandError
from shared.client import AsyncTocsin, Console, Inbox, InboxTokens
from shared.runtime.settings import BaseServiceSettings

_CHECKOUT = Path(__file__).parents[1]

T = TypeVar("T")


class Environment(BaseSettings):
    """What the environment says, as `TOCSIN_<FIELD>`."""

    model_config = BaseServiceSettings.model_config

    state: Path = _CHECKOUT / ".tocsin"
    ingest_url: str | None = None
    inbox_url: str | None = None
    console_url: str | None = None
    api_key: SecretStr | None = None
    kafka_bootstrap: str | None = None
    postgres_dsn: SecretStr | None = None
    api_key_secret_file: Path | None = None


class Target(flags.Group):
    """One Tocsin, as far as a command needs it; what is missing is named when it is asked for.

    Args:
        state: the state folder of a running stack; None takes TOCSIN_STATE or the checkout's.
        url: the address of the service the command speaks to, where a flag gave it.
        key: the API key, where a flag gave it.
    """

    def __init__(self, state: flags.State = None, url: flags.Url = None, key: flags.Key = None) -> None:
        self._environment = Environment()
        self.state = state or self._environment.state
        self._url = url
        self._key = key

    def tocsin(self) -> AsyncTocsin:
        """The client of ingest's door."""
        url = self._url or self._environment.ingest_url or self._address("ingest", "--url or TOCSIN_INGEST_URL")
        return AsyncTocsin(url, self._api_key("api_key"))

    def console(self) -> Console:
        """The client of the console."""
        url = self._url or self._environment.console_url or self._address("console", "--url or TOCSIN_CONSOLE_URL")
        return Console(url, self._api_key("admin_key"))

    def asked(self, question: Callable[[Console], Awaitable[T]]) -> T:
        """What the console answers to one question."""

        async def answer() -> T:
            async with self.console() as console:
                return await question(console)

        return asyncio.run(answer())

    def listed(self, question: Callable[[Console], AsyncIterator[T]]) -> list[T]:
        """Everything the console lists, page by page."""

        async def every(console: Console) -> list[T]:
            return [each async for each in question(console)]

        return self.asked(every)

    def inbox_of(self, recipient: str, question: Callable[[Inbox], Awaitable[T]]) -> T:
        """What the inbox answers to one question of a recipient, for whom the key is good."""
        url = self._url or self._environment.inbox_url or self._address("inbox", "--url or TOCSIN_INBOX_URL")

        async def answer() -> T:
            async with InboxTokens(url, self._api_key("admin_key")) as tokens:
                issued = await tokens.token(recipient)
            async with Inbox(url, issued.token) as inbox:
                return await question(inbox)

        return asyncio.run(answer())

    def kafka(self, flag: str | None) -> str:
        """The bootstrap address of Kafka."""
        return flag or self._environment.kafka_bootstrap or self._address("kafka", "--kafka or TOCSIN_KAFKA_BOOTSTRAP")

    def postgres(self, flag: str | None) -> str:
        """The DSN of the database's owner."""
        stored = self._environment.postgres_dsn
        found = flag or (stored.get_secret_value() if stored else None)
        return found or self._address("postgres", "--postgres or TOCSIN_POSTGRES_DSN")

    def api_key_secret(self, flag: Path | None) -> bytes:
        """The installation's secret under which API keys are stored."""
        path = flag or self._environment.api_key_secret_file or self.state / "secrets" / "api-keys"
        try:
            return path.read_bytes().strip()
        except OSError as error:
            raise CommandError(
                f"cannot read the API key secret {path}: {error.strerror}",
                "Give the file the services use with --secret-file or TOCSIN_API_KEY_SECRET_FILE.",
            ) from error

    def _api_key(self, demo_name: str) -> str:
        stored = self._environment.api_key
        found = self._key or (stored.get_secret_value() if stored else None)
        found = found or endpoints(self.state).get("demo", {}).get(demo_name)
        if not found:
            raise CommandError(
                "no API key", "Give one with --key or TOCSIN_API_KEY; `tocsin tenants create` makes a tenant's first."
            )
        return str(found)

    def _address(self, name: str, otherwise: str) -> str:
        document = endpoints(self.state)
        if not document:
            raise CommandError(
                f"no Tocsin runs from {self.state}",
                f"Start one with `tocsin up`, name its folder with --state, or give {otherwise}.",
            )
        if not document.get(name):
            raise CommandError(f"the Tocsin of {self.state} runs without {name}", f"Give {otherwise}.")
        return str(document[name])


def endpoints(state: Path) -> Mapping[str, Any]:
    """What a running stack wrote about itself; empty where none runs.

    Raises:
        CommandError: the file is not what a stack writes.
    """
    path = state / "endpoints.json"
    try:
        document: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise CommandError(f"cannot read {path}: {error}", "Start the stack anew with `tocsin up`.") from error
    return document
