"""A mail relay that does what the recipient's address says at which verb, and keeps the mails it took.

`mail-451@…`, `rcpt-550@…`, `data-421@…`, `dot-554@…` answer so at the verb; `drop-<verb>@…` closes the connection
there, `hang-<verb>@…` never answers. What is dropped or hangs at the dot has been kept first: the mail is there.
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

_FAULT = re.compile(r"<(?P<what>drop|hang|mail|rcpt|data|dot)-(?P<which>\w+)")


_LARGEST_BYTES = 64 * 1_048_576
"""A mail of ten million characters, however it is encoded."""


@dataclass
class Relay:
    """What was taken: (envelope recipient, content) of each mail; `senders` are those of every envelope.

    `greeting` is what a new connection hears. `at_data` answers DATA when nobody was accepted: 354 waits for an end.
    """

    port: int = 0
    greeting: str = "220 relay ready"
    extensions: tuple[str, ...] = ("SMTPUTF8", "8BITMIME")
    at_rcpt: str = "250 OK"
    at_data: str = "503 nobody to send it to"
    mails: list[tuple[str, bytes]] = field(default_factory=list)
    senders: list[str] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    connections: int = 0
    close_idle_after: int | None = None
    let_go: asyncio.Event = field(default_factory=asyncio.Event)

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from greeting to close."""
        self.connections += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, _HungUpError):
            await _say(writer, self.greeting)
            await _Conversation(self, reader, writer).run()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


class _HungUpError(Exception):
    """The relay closes the connection."""


@dataclass
class _Conversation:
    relay: Relay
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    recipient: str = ""
    accepted: bool = False
    taken: int = 0

    async def run(self) -> None:
        while line := (await self.reader.readline()).decode(errors="replace").strip():
            verb = line.split(" ")[0].upper()
            self.relay.commands.append(verb)
            if verb == "EHLO":
                await _say(
                    self.writer,
                    "\r\n".join(["250-relay", *(f"250-{each}" for each in self.relay.extensions), "250 OK"]),
                )
            elif verb == "QUIT":
                await _say(self.writer, "221 bye")
                return
            else:
                await self._transact(verb, line)

    async def _transact(self, verb: str, line: str) -> None:
        if verb == "MAIL":
            if self.relay.close_idle_after is not None and self.taken >= self.relay.close_idle_after:
                raise _HungUpError
            self.recipient, self.accepted = "", False
            self.relay.senders.append(line[len("MAIL FROM:") :].partition(" ")[0])
            await _say(self.writer, "250 OK")
        elif verb == "RCPT":
            self.recipient = line
            for earlier in ("mail", "rcpt"):
                if await self._fault(earlier):
                    return
            self.accepted = self.relay.at_rcpt.startswith("2")
            await _say(self.writer, self.relay.at_rcpt)
        elif verb == "DATA":
            await (self._data() if self.accepted else self._for_nobody())
        else:
            await _say(self.writer, "250 OK")

    async def _for_nobody(self) -> None:
        await _say(self.writer, self.relay.at_data)
        if self.relay.at_data.startswith("354"):
            await self.reader.readuntil(b".\r\n")
            await _say(self.writer, "554 nobody to send it to")

    async def _data(self) -> None:
        if not await self._fault("data"):
            await self._content()

    async def _content(self) -> None:
        await _say(self.writer, "354 go on")
        content = await self.reader.readuntil(b"\r\n.\r\n")
        taken = (self.recipient[len("RCPT TO:<") :].partition(">")[0], content[:-3].replace(b"\r\n..", b"\r\n."))
        if not re.search(r"<dot-", self.recipient):
            self.relay.mails.append(taken)
        if not await self._fault("dot"):
            self.taken += 1
            await _say(self.writer, "250 taken")

    async def _fault(self, verb: str) -> bool:
        fault = _FAULT.search(self.recipient)
        if fault is None or verb not in (fault["what"], fault["which"]):
            return False
        if fault["what"] == "hang":
            await self.relay.let_go.wait()
        if fault["what"] in ("hang", "drop"):
            raise _HungUpError
        await _say(self.writer, f"{fault['which']} refused for <{fault['which']}@example.test>")
        if fault["which"] == "421":
            raise _HungUpError
        return True


async def _say(writer: asyncio.StreamWriter, text: str) -> None:
    writer.write(f"{text}\r\n".encode())
    await writer.drain()


@contextlib.asynccontextmanager
async def running() -> AsyncIterator[Relay]:
    """A relay on a free port of loopback."""
    relay = Relay()
    server = await asyncio.start_server(relay.converse, "127.0.0.1", 0, limit=_LARGEST_BYTES)
    relay.port = int(server.sockets[0].getsockname()[1])
    try:
        yield relay
    finally:
        relay.let_go.set()
        server.close()
        await server.wait_closed()
