"""A mail that its template could not make is re-driven once the template was mended, and comes once, filled."""

import uuid

from deploy.local.trial import Trial
from tests.support import outside, waiting


async def test_a_dead_mail_of_a_template_comes_once_and_filled_after_the_template_was_mended(system: Trial) -> None:
    order = f"order-{uuid.uuid4().hex[:8]}"
    await system.console(
        "PUT", "/v1/templates/bill.html", {"html": "{{ order }}" + "{{ page }}" * 7_000}
    )  # too large a mail
    params = {"order": order, "page": "x" * 2_000}
    mail = {"template": "bill.html", "subject": f"Bill of {order}", "params": params}
    sent = await outside.accepted(
        system, outside.request("Bill", "user-0", importance="info", channels=["email"], mail=mail)
    )
    [dead] = await outside.ended(system, sent, 1)
    assert (dead["state"], dead["reason"]) == ("dead", "template_unfillable")

    await system.console("PUT", "/v1/templates/bill.html", {"html": "<p>Dear {{ userFirstName }}, {{ order }}</p>"})

    async def letters() -> list[outside.Json]:
        found = await system.console("GET", "/v1/dead-letters?reason=template_unfillable")
        return [letter for letter in found["items"] if letter["redriven"] is None]

    [letter] = await waiting.until(letters, 30, "the dead letter")
    assert (await system.console("POST", "/v1/dead-letters/redrive", {"ids": [letter["id"]]}))["redriven"] == 1
    [delivery] = await outside.deliveries_when(system, sent, lambda seen: seen[0]["state"] == "sent")
    assert [attempt["outcome"] for attempt in delivery["attempts"]][-2:] == ["failed", "delivered"]
    [arrived] = await outside.mails(system, "user-0@example.test", order)
    assert arrived["subject"] == f"Bill of {order}"
