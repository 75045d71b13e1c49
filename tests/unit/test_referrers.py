"""Where a referrer leads: which patterns make a link, and which link."""

from typing import Any

import pytest

from shared.contract import referrers
from shared.contract.referrers import PROPERTY, ReferrerPatternError


@pytest.mark.parametrize(
    ("pattern", "link"),
    [
        ("https://crm.example/{table}?sys_id={id}", "https://crm.example/a%2Fb?sys_id=%7Btable%7D"),
        ("http://crm.example:8080/#/{id}", "http://crm.example:8080/#/%7Btable%7D"),
        ("https://bücher.example/{table}", "https://bücher.example/a%2Fb"),
        ("https://[::1]/{table}", "https://[::1]/a%2Fb"),
        ("https://crm.example", "https://crm.example"),
        ("https://crm.example/" + "a" * 1_004, "https://crm.example/" + "a" * 1_004),
    ],
)
def test_a_pattern_is_filled_with_what_is_quoted(pattern: str, link: str) -> None:
    assert referrers.checked(pattern) == pattern
    assert referrers.link({PROPERTY: pattern}, "a/b", "{table}") == link


@pytest.mark.parametrize(
    "pattern",
    [
        7, None, True, ["https://crm.example"], "crm.example/{id}", "/{table}/{id}", "javascript:alert(1)//{id}",
        "ftp://crm.example/{id}", "https:///{id}", "https://:80/{id}", "https://[crm/{id}", "https://{table}/{id}",
        "https://{id}.crm.example/", "https://crm.example/{sys_id}", "https://crm.example/{table", "{table}",
        "https://crm.example/a b", "https://crm.example/\n{id}", 'https://crm.example/">{id}', " https://crm.example/",
        "https://crm.example/" + "a" * 1_005,
    ],
)  # fmt: skip
def test_a_pattern_that_makes_no_link_is_refused_and_links_nowhere(pattern: Any) -> None:
    with pytest.raises(ReferrerPatternError, match="must"):
        referrers.checked(pattern)
    assert referrers.link({PROPERTY: pattern}, "incident", "1") is None


def test_an_empty_pattern_or_none_links_nowhere() -> None:
    assert referrers.checked("") is None
    assert referrers.link({PROPERTY: ""}, "incident", "1") is None
    assert referrers.link({}, "incident", "1") is None
