"""The demo's sums: what is lost and what came twice, from what was sent and what arrived."""

from collections import Counter
from typing import Any

import pytest

from deploy.local.demo import reckoning, workload
from deploy.local.demo.workload import Arrival, Door, Kind, Way

USERS = [f"user{number}" for number in range(20)]
RUN = "0123abcd"
SENT = workload.requests(RUN, USERS)
WANTED = workload.expected(SENT)
ANSWERS = reckoning.Answers(accepted=190, rejected=5, duplicates=5)


def hook(arrival: Arrival) -> dict[str, str]:
    return {"name": f"Pump 7 has stopped ({arrival.token})"}


def perfect() -> tuple[dict[str, list[dict[str, str]]], list[dict[str, str]]]:
    """What catcher and mailbox hold when all arrived: a digest carries all items of its recipient."""
    hooks: dict[str, list[dict[str, str]]] = {user: [] for user in USERS}
    mails: list[dict[str, str]] = []
    items: dict[str, list[str]] = {}
    for arrival in sorted(WANTED, key=str):
        if arrival.way is Way.WEBHOOK:
            hooks[arrival.recipient].append(hook(arrival))
        elif arrival.way is Way.MAIL:
            mails.append({"to": f"{arrival.recipient}@demo.example", "subject": arrival.token, "text": arrival.token})
        else:
            items.setdefault(arrival.recipient, []).append(arrival.token)
    for recipient, tokens in items.items():
        mails.append({"to": f"{recipient}@demo.example", "subject": "Enquiries", "text": "\n".join(tokens)})
    return hooks, mails


def summed(hooks: dict[str, list[dict[str, str]]], mails: list[dict[str, str]]) -> dict[str, Any]:
    sums = reckoning.summary(ANSWERS, WANTED, reckoning.received(hooks, mails, SENT), 3.21)
    return {"lost": sums.lost, "repeated": sums.repeated, "digests": sums.digests, "complete": sums.complete}


def test_the_workload_is_what_the_demo_promises() -> None:
    kinds = Counter(request.kind for request in SENT)
    assert kinds == {Kind.VALID: 190, Kind.INVALID: 5, Kind.DUPLICATE: 5}
    assert {request.door for request in SENT if request.kind is Kind.VALID} == set(Door)
    assert {request.door for request in SENT if request.kind is Kind.INVALID} == set(Door)
    assert {arrival.way for arrival in WANTED} == set(Way)
    assert {arrival.recipient for arrival in WANTED} == set(USERS)


def test_a_duplicate_follows_what_it_repeats_to_the_byte() -> None:
    first_half = {request.token: request for request in SENT[: len(SENT) // 2]}
    for request in SENT:
        if request.kind is Kind.DUPLICATE:
            assert first_half[request.token].body == request.body
            assert first_half[request.token].kind is Kind.VALID


def test_a_run_is_made_from_its_name_alone() -> None:
    assert workload.requests(RUN, USERS) == SENT
    assert {request.token for request in workload.requests("ffff0000", USERS)}.isdisjoint(
        request.token for request in SENT
    )


def test_when_all_arrived_once_nothing_is_lost_and_nothing_repeated() -> None:
    hooks, mails = perfect()
    with_items = {arrival.recipient for arrival in WANTED if arrival.way is Way.DIGEST}
    assert summed(hooks, mails) == {"lost": 0, "repeated": 0, "digests": len(with_items), "complete": True}


def test_a_missing_webhook_a_missing_mail_and_a_missing_digest_item_are_lost() -> None:
    hooks, mails = perfect()
    next(bodies for bodies in hooks.values() if bodies).pop()
    digest = mails.pop()
    own = next(mail for mail in mails if mail["subject"] != "Enquiries")
    mails.remove(own)
    missing = 2 + len(digest["text"].splitlines())
    assert summed(hooks, mails)["lost"] == missing
    assert not summed(hooks, mails)["complete"]


@pytest.mark.parametrize("what", ["hook", "digest"])
def test_what_comes_twice_is_repeated(what: str) -> None:
    hooks, mails = perfect()
    if what == "hook":
        bodies = next(bodies for bodies in hooks.values() if bodies)
        bodies.append(bodies[0])
        assert summed(hooks, mails)["repeated"] == 1
    else:
        mails.append(mails[-1])
        assert summed(hooks, mails)["repeated"] == len(mails[-1]["text"].splitlines())


def test_what_nobody_asked_for_counts_as_repeated() -> None:
    hooks, mails = perfect()
    archived = next(r for r in SENT if r.kind is Kind.VALID and r.body["importance"] == "default")
    hooks["user0"].append({"name": archived.token})
    assert summed(hooks, mails)["repeated"] == 1


def test_arrivals_of_another_run_do_not_count() -> None:
    hooks, mails = perfect()
    hooks["user0"].append({"name": "Pump 7 has stopped (demoffff0000001)"})
    assert summed(hooks, mails)["complete"]


def test_a_demo_is_complete_only_if_every_request_was_answered_as_it_had_to_be() -> None:
    hooks, mails = perfect()
    got = reckoning.received(hooks, mails, SENT)
    wrong = reckoning.Answers(accepted=191, rejected=5, duplicates=4, oddities=["a duplicate was taken"])
    assert not reckoning.summary(wrong, WANTED, got, 1.0).complete
