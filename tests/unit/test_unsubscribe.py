"""Unsubscribe links: what they say, who can make one, and that a new secret ends none."""

import pathlib

import pytest
from itsdangerous import Signer

from shared.contract.outcomes import Channel
from shared.runtime.secret_file import SecretFile
from shared.unsubscribe import Subscription, UnsubscribeLinks
from tests.support import unsubscribing

OLD, NEW = "0" * 32, "1" * 32


def links(folder: pathlib.Path, *secrets: str) -> UnsubscribeLinks:
    path = folder / "secrets"
    path.write_text("\n".join(secrets))
    return UnsubscribeLinks(SecretFile(path), unsubscribing.PUBLIC_URL)


@pytest.mark.parametrize("asset", [None, "4"])
@pytest.mark.parametrize("word", ["ada", 'Ädä / "x"', "語" * 255])
def test_a_link_says_what_it_is_about(word: str, asset: str | None) -> None:
    about = Subscription(word, word, Channel.EMAIL, word, asset)
    link = unsubscribing.links().to(about)
    assert link.isascii()
    assert " " not in link
    assert unsubscribing.links().read(unsubscribing.token(link)) == about


def test_a_link_that_was_changed_or_made_elsewhere_says_nothing(tmp_path: pathlib.Path) -> None:
    about = Subscription("acme", "ada", Channel.PUSH, "enquiries")
    good = unsubscribing.token(unsubscribing.links().to(about))
    other = unsubscribing.token(unsubscribing.links().to(Subscription("acme", "bob", Channel.PUSH, "enquiries")))
    spliced = other.rpartition(".")[0] + "." + good.rpartition(".")[2]
    foreign = unsubscribing.token(links(tmp_path, OLD).to(about))
    unsalted = Signer(unsubscribing.SECRET_FILE.read_bytes().strip()).sign(good.rpartition(".")[0]).decode()
    for token in (good[:-1], good + "A", spliced, foreign, unsalted, "", ".", "a.b", "ä.ö", good.upper()):
        assert unsubscribing.links().read(token) is None


def test_a_new_secret_signs_and_the_old_one_still_opens(tmp_path: pathlib.Path) -> None:
    about = Subscription("acme", "ada", Channel.EMAIL, "enquiries")
    old = unsubscribing.token(links(tmp_path, OLD).to(about))
    both = links(tmp_path, OLD, NEW)
    assert both.read(old) == about
    new = unsubscribing.token(both.to(about))
    only_new = links(tmp_path, NEW)
    assert (only_new.read(new), only_new.read(old)) == (about, None)


def test_secrets_are_read_again_when_their_file_changes_unless_they_are_unfit(tmp_path: pathlib.Path) -> None:
    about = Subscription("acme", "ada", Channel.EMAIL, "enquiries")
    running = links(tmp_path, OLD)
    first = unsubscribing.token(running.to(about))
    links(tmp_path, OLD, NEW)
    second = unsubscribing.token(running.to(about))
    assert second != first
    (tmp_path / "secrets").write_text("short")
    assert running.read(first) == running.read(second) == about


def test_a_short_secret_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ValueError, match="32 characters"):
        links(tmp_path, NEW, "short")
