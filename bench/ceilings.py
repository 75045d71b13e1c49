"""What each part does alone on this machine, in the same run: the ceilings beside the figures."""

import asyncio
import time
from email.message import EmailMessage

import aiosmtplib
import asyncpg

from deploy.local import trial

_SECONDS = 3.0
_CONNECTIONS = 32
_ROWS_A_COPY = 10_000


async def measured(running: trial.Trial) -> dict[str, float]:
    """Items a second: bare POSTs to the catcher, bare mails to the mailbox, bare COPY into PostgreSQL."""
    return {"hooks": await _posts(running), "mails": await _mails(running), "copied_rows": await _rows(running)}


async def _posts(running: trial.Trial) -> float:
    url = running.endpoints["mailbox"] + "/hooks/ceiling"
    body = b'{"type": "tocsin.delivery.v1", "description": "' + b"x" * 400 + b'"}'
    end = time.monotonic() + _SECONDS
    done = 0

    async def poster() -> None:
        nonlocal done
        while time.monotonic() < end:
            async with running.http.post(url, data=body):
                done += 1

    await asyncio.gather(*(poster() for _ in range(_CONNECTIONS)))
    return done / _SECONDS


async def _mails(running: trial.Trial) -> float:
    host, port = running.endpoints["smtp"].rsplit(":", 1)
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "bench@example.test", "ceiling@example.test", "Ceiling"
    mail.set_content("x" * 2_000)
    end = time.monotonic() + _SECONDS
    done = 0

    async def sender() -> None:
        nonlocal done
        client = aiosmtplib.SMTP(hostname=host, port=int(port), start_tls=False)
        async with client:
            while time.monotonic() < end:
                await client.send_message(mail)
                done += 1

    await asyncio.gather(*(sender() for _ in range(8)))
    return done / _SECONDS


async def _rows(running: trial.Trial) -> float:
    connection = await asyncpg.connect(running.endpoints["postgres"])
    try:
        await connection.execute("CREATE TEMP TABLE ceiling (id bigint, body text)")
        rows = [(number, "x" * 400) for number in range(_ROWS_A_COPY)]
        end = time.monotonic() + _SECONDS
        copied = 0
        while time.monotonic() < end:
            await connection.copy_records_to_table("ceiling", records=rows)
            copied += _ROWS_A_COPY
        return copied / _SECONDS
    finally:
        await connection.close()
