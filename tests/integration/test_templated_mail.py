"""Mails of templates from intake to what a sink finds of them in the record."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from services.dispatcher.delivery.ports import Mailbox
from services.dispatcher.store_mails import MailStore
from services.dispatcher.templated import UnmakeableError
from shared.contract.outcomes import Channel, Reason
from shared.contract.template_params import TemplateMail
from shared.postgres import bodies
from shared.runtime.settings import KafkaSettings
from tests.support import databases, delivering, intake
from tests.support.delivering import TENANT, Bench
from tests.support.notifications import accepted

_TEMPLATE = "INSERT INTO templates (tenant, name, version, html, required, optional) VALUES ($1, $2, $3, $4, $5, '{}')"
MAIL = TemplateMail(template="order.html", subject="Soup", params={"order": "7"}, link_query={"campaignTagId": "12"})


@pytest_asyncio.fixture
async def email(database: databases.Database) -> AsyncIterator[Bench]:
    async with delivering.opened(database, Channel.EMAIL) as bench:
        yield bench


async def test_a_mail_of_a_template_is_stored_once_and_goes_out_at_once(
    kafka_settings: KafkaSettings, database: databases.Database
) -> None:
    await intake.users(database, 1)
    async with intake.opened(kafka_settings, database) as bench:
        async with intake.connected(database.owner) as owner:
            await owner.execute("INSERT INTO classes (tenant, key, name, options) VALUES ($1, 'general', '', $2)",
                                TENANT, '{"email": "none"}')  # fmt: skip
        await bench.take_in(accepted("u0", mail=MAIL))
        [(stored, options)] = await bench.rows("SELECT mail::text, options::text FROM notifications")
        assert TemplateMail.model_validate_json(stored) == MAIL
        assert '"immediate"' in options
        assert await bench.rows("SELECT email_plan FROM inbox_items") == [("immediate",)]
        [delivery] = await bench.written("deliveries.email.routine")
        assert "mail" not in delivery


async def templated(email: Bench, mail: TemplateMail) -> None:
    await email.owner.execute("UPDATE notifications SET mail = $1::text::jsonb", mail.model_dump_json())


async def test_a_claim_says_that_a_template_makes_the_mail_and_repeats_nothing_of_it(email: Bench) -> None:
    await email.user()
    await email.owner.execute(
        "INSERT INTO properties (tenant, name, value) VALUES ($1, 'mail.desktop_url', '\"https://desk.example\"')",
        TENANT,
    )
    notification = await email.notification()
    (plain,) = (await email.claim(email.request(notification))).claims
    assert not plain.templated
    await templated(email, MAIL)
    await email.user("grace", "grace@example.test")
    (claim,) = (await email.claim(email.request(notification, recipient="grace"))).claims
    assert claim.templated
    assert "Soup" not in repr(claim)
    assert isinstance(claim.target, Mailbox)
    assert claim.target.sender == {"mail.desktop_url": "https://desk.example"}


async def test_the_sink_finds_mail_template_and_body(email: Bench) -> None:
    await email.tenant()
    request = email.request(await email.notification())
    content = "<p>Grüße</p>".encode()
    async with email.owner.transaction():
        reference = await bodies.keep(email.owner, TENANT, content, 1)
    mail = MAIL.model_copy(update={"body_ref": reference.hex()})
    await templated(email, mail)
    store = MailStore(email.pool)
    await email.owner.execute(_TEMPLATE, TENANT, "order.html", 1, "{{ order }}", ["order"])
    await email.owner.execute(
        _TEMPLATE, TENANT, "order.html", 2, "{{ order }}{{ emailBody|html }}", ["emailBody", "order"]
    )
    await email.owner.execute(_TEMPLATE, TENANT, "order.html", 3, "{{ price }}", ["price"])
    await email.owner.execute("UPDATE templates SET deleted_at = now()")
    assert await store.mail(request) == (mail, "{{ order }}{{ emailBody|html }}")
    assert await store.body(TENANT, reference.hex()) == "<p>Grüße</p>"


async def test_what_is_gone_says_what_to_do(email: Bench) -> None:
    await email.tenant()
    store, request = MailStore(email.pool), email.request(await email.notification())
    await templated(email, MAIL)
    with pytest.raises(UnmakeableError, match=r"order\.html") as raised:
        await store.mail(request)
    assert raised.value.reason is Reason.TEMPLATE_UNFILLABLE
    with pytest.raises(UnmakeableError, match="upload") as raised:
        await store.body(TENANT, "0" * 64)
    assert raised.value.reason is Reason.BODY_GONE
    await email.owner.execute("DELETE FROM notifications")
    with pytest.raises(UnmakeableError) as raised:
        await store.mail(request)
    assert raised.value.reason is Reason.ORIGINAL_GONE
