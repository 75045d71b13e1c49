"""What the page behind an unsubscribe link says, in its reader's language."""

from dataclasses import dataclass

from shared.contract.outcomes import Channel
from shared.words import Words

END, AGAIN = "end", "again"


@dataclass(frozen=True, slots=True)
class PageText:
    """What a page says; `button` is what its reader may do, sent as `does`; None where that is nothing."""

    language: str
    direction: str
    heading: str
    text: str
    button: str | None = None
    does: str = ""


def no_such_link(said: Words) -> PageText:
    """Says that a link is not whole, or none of ours."""
    return _page(said, "unknown")


def away(said: Words) -> PageText:
    """Says that nothing can be changed now."""
    return _page(said, "away")


def subscribed(said: Words, sender: str, subject: str, channel: Channel) -> PageText:
    """Asks whether something shall not come any more."""
    return _page(said, "subscribed", END, sender=sender, subject=subject, channel=said.text("channel", channel))


def unsubscribed(said: Words, sender: str, subject: str, channel: Channel) -> PageText:
    """Says that something does not come any more."""
    return _page(said, "unsubscribed", AGAIN, sender=sender, subject=subject, channel=said.text("channel", channel))


def subject(said: Words, class_name: str, asset: str | None) -> str:
    """What a subscription is about."""
    if asset is not None:
        return said.text("subscription", "asset", asset=asset)
    return said.text("subscription", "class", name=class_name)


def _page(said: Words, key: str, does: str | None = None, **values: str) -> PageText:
    return PageText(
        said.language,
        said.direction,
        said.text("subscription", f"{key}_heading"),
        said.text("subscription", key, **values),
        None if does is None else said.text("subscription", does),
        does or "",
    )
