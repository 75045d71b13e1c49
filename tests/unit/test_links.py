"""The campaign tag in links of every kind."""

import pytest

from shared import links

TAG = {"campaignTagId": "12"}


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        pytest.param("https://a.example", "https://a.example?campaignTagId=12", id="no query"),
        pytest.param("https://a.example/x?y=1", "https://a.example/x?y=1&campaignTagId=12", id="a query"),
        pytest.param("https://a.example/x#top", "https://a.example/x?campaignTagId=12#top", id="a fragment"),
        pytest.param("https://a.example/?", "https://a.example/?campaignTagId=12", id="an empty query"),
        pytest.param("app://event/12", "app://event/12?campaignTagId=12", id="a deep link"),
        pytest.param("https://a.example/?campaignTagId=9", "https://a.example/?campaignTagId=9", id="tagged already"),
        pytest.param("mailto:ada@example.test", "mailto:ada@example.test", id="mail"),
        pytest.param("tel:+4930123", "tel:+4930123", id="telephone"),
        pytest.param("#top", "#top", id="within the page"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_an_address_has_the_tag_in_its_query_once(address: str, expected: str) -> None:
    assert links.tagged(address, TAG) == expected
    assert links.tagged(expected, TAG) == expected


def test_values_are_escaped() -> None:
    assert links.tagged("https://a.example", {"campaignId": "a&b c"}) == "https://a.example?campaignId=a%26b%20c"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("See https://a.example/x. Now", "See https://a.example/x?campaignTagId=12. Now", id="a sentence"),
        pytest.param("[x](https://a.example/y)", "[x](https://a.example/y?campaignTagId=12)", id="Markdown"),
        pytest.param("<https://a.example>", "<https://a.example?campaignTagId=12>", id="in angles"),
        pytest.param("**https://a.example**", "**https://a.example?campaignTagId=12**", id="in bold"),
        pytest.param("HTTPS://a.example", "HTTPS://a.example?campaignTagId=12", id="in capitals"),
        pytest.param(
            "Open interact://event/12.", "Open interact://event/12?campaignTagId=12.", id="a deep link in a sentence"
        ),
        pytest.param(
            "[x](my-app+1.0://e/1?tab=2#top)",
            "[x](my-app+1.0://e/1?tab=2&campaignTagId=12#top)",
            id="a deep link in Markdown",
        ),
        pytest.param(
            "See:interact://a, 1.https://b/c",
            "See:interact://a?campaignTagId=12, 1.https://b/c?campaignTagId=12",
            id="without a blank before",
        ),
        pytest.param("mailto:ada@example.test", "mailto:ada@example.test", id="mail"),
        pytest.param("tel:+4930123 or sms://+4930123", "tel:+4930123 or sms://+4930123", id="telephone"),
        pytest.param("note:this, a:b, 10:30, C://x", "note:this, a:b, 10:30, C://x", id="colons of other kinds"),
        pytest.param("javascript://a%0Aalert(1)", "javascript://a%0Aalert(1)", id="what runs"),
        pytest.param("no link at all: a.example, ://, app:// x", "no link at all: a.example, ://, app:// x", id="none"),
    ],
)
def test_every_address_in_a_text_has_the_tag(text: str, expected: str) -> None:
    assert links.tagged_text(text, TAG) == expected
    assert links.tagged_text(text, {}) == text


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        pytest.param(
            '<p>a <a class="b" href="https://a.example/?x=1&amp;y=2">c</a></p>',
            '<p>a <a class="b" href="https://a.example/?x=1&amp;y=2&amp;campaignTagId=12">c</a></p>',
            id="escaped",
        ),
        pytest.param("<A HREF='app://x'>c</A>", '<A HREF="app://x?campaignTagId=12">c</A>', id="in capitals"),
        pytest.param(
            "<a\n  href=https://a.example/z>c</a>",
            '<a\n  href="https://a.example/z?campaignTagId=12">c</a>',
            id="without quotes",
        ),
        pytest.param(
            '<a title="a > b" href="https://a.example">c</a>',
            '<a title="a > b" href="https://a.example?campaignTagId=12">c</a>',
            id="behind an angle in quotes",
        ),
        pytest.param('<a href="mailto:a@b.example">c</a>', '<a href="mailto:a@b.example">c</a>', id="mail"),
        pytest.param('<a href="note:this">c</a>', '<a href="note:this">c</a>', id="no slashes behind its scheme"),
        pytest.param(
            "<a href='Interact://event/12?tab=2#top'>c</a>",
            '<a href="Interact://event/12?tab=2&amp;campaignTagId=12#top">c</a>',
            id="a deep link",
        ),
        pytest.param('<area href="https://m.example">', '<area href="https://m.example?campaignTagId=12">', id="a map"),
        pytest.param('<img src="https://a.example/i.png">', '<img src="https://a.example/i.png">', id="an image"),
        pytest.param("<abbr href-x='https://a'>", "<abbr href-x='https://a'>", id="another attribute"),
        pytest.param("<p>https://a.example</p>", "<p>https://a.example</p>", id="text is no link"),
    ],
)
def test_every_link_in_html_has_the_tag_and_nothing_else_changes(html: str, expected: str) -> None:
    assert links.tagged_html(html, TAG) == expected
    assert links.tagged_html(html, {}) == html


def test_one_link_may_stay_as_it_is() -> None:
    html = '<a href="https://a.example/?x=1&amp;y=2">c</a>'
    assert links.tagged_html(html, TAG, but="https://a.example/?x=1&y=2") == html
