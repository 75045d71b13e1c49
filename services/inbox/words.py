"""What the page behind an unsubscribe link says, in its reader's language."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from shared.contract.outcomes import Channel
from shared.words import Words


class Wish(StrEnum):
    """What a button of the page does: to what the link is about, or to all of its channel."""

    END = "end"
    AGAIN = "again"
    END_ALL = "end_all"
    AGAIN_ALL = "again_all"


class Standing(StrEnum):
    """How it stands with what a link is about; NOTHING: not even anything else comes by its channel."""

    SUBSCRIBED = "subscribed"
    UNSUBSCRIBED = "unsubscribed"
    NOTHING = "nothing"


_OFFERED = {
    Standing.SUBSCRIBED: (Wish.END, Wish.END_ALL),
    Standing.UNSUBSCRIBED: (Wish.AGAIN, Wish.END_ALL),
    Standing.NOTHING: (Wish.AGAIN_ALL,),
}


@dataclass(frozen=True, slots=True)
class Button:
    """What a page's reader may do, sent as `do`."""

    does: Wish
    label: str


@dataclass(frozen=True, slots=True)
class PageText:
    """What a page says, and what its reader may do."""

    language: str
    direction: str
    heading: str
    text: str
    buttons: tuple[Button, ...] = ()


def no_such_link(said: Words) -> PageText:
    """Says that a link is not whole, or none of ours."""
    return _page(said, "unknown")


def away(said: Words) -> PageText:
    """Says that nothing can be changed now."""
    return _page(said, "away")


def told(said: Words, standing: Standing, sender: str, subject: str, channel: Channel) -> PageText:
    """Says what comes of a subject by a channel from a sender, and offers to change it."""
    by = said.text("channel", channel)
    values = {"sender": sender, "channel": by} | ({} if standing is Standing.NOTHING else {"subject": subject})
    return _page(said, standing, [Button(wish, _label(said, wish, by)) for wish in _OFFERED[standing]], **values)


def _label(said: Words, wish: Wish, channel: str) -> str:
    values = {"channel": channel} if wish in (Wish.END_ALL, Wish.AGAIN_ALL) else {}
    return said.text("subscription", wish, **values)


def subject(said: Words, class_name: str, asset: str | None) -> str:
    """What a subscription is about."""
    if asset is not None:
        return said.text("subscription", "asset", asset=asset)
    return said.text("subscription", "class", name=class_name)


def _page(said: Words, key: str, buttons: Sequence[Button] = (), **values: str) -> PageText:
    return PageText(
        said.language,
        said.direction,
        said.text("subscription", f"{key}_heading"),
        said.text("subscription", key, **values),
        tuple(buttons),
    )
