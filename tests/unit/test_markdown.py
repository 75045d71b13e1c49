"""What a description may do in a mail or an inbox, and what it may not."""

import re

import pytest

from shared import markdown

_ATTACKS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<iframe src='https://evil.example'></iframe>",
    "<a href='javascript:alert(1)'>x</a>",
    "<style>body{display:none}</style>",
    "<div onclick='alert(1)' style='position:fixed'>x</div>",
    "<!-- --!><img src=x onerror=alert(1)> -->",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](  javascript:alert(1))",
    "[x](javascript&colon;alert(1))",
    "[x](java\nscript:alert(1))",
    "[x](\x01javascript:alert(1))",
    "[x](vbscript:msgbox)",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](file:///etc/passwd)",
    "[x](//evil.example)",
    "[x](/relative)",
    "[x](https://)",
    '[x](https://a.example "\\" onmouseover=alert(1) \\"")',
    "[x](https://a.example/\"onmouseover='alert(1)')",
    "<https://a.example/'onmouseover=alert(1)>",
    "![x](https://tracker.example/pixel.png)",
    "![x](javascript:alert(1))",
    "[x][1]\n\n[1]: javascript:alert(1)",
    "`<script>alert(1)</script>`",
    '```"><script>alert(1)</script>\n</code></pre><script>alert(1)</script>\n```',
    "# <img src=x onerror=alert(1)>",
    "> <script>alert(1)</script>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;alert(1)",
    "<a\nhref=javascript:alert(1)>",
    "<math><mi//xlink:href='data:x,<script>alert(4)</script>'>",
]
_ALLOWED = re.compile(
    r"</?(p|br|strong|em|code|pre|blockquote|ul|ol|li|hr|h[1-6])>|</a>"
    r'|<a href="(https?|mailto):[^"<>]+"( title="[^"<>]*")? rel="noopener noreferrer nofollow">'
)


@pytest.mark.parametrize("attack", _ATTACKS)
def test_html_holds_only_plain_elements_and_safe_links(attack: str) -> None:
    left = _ALLOWED.sub("", markdown.to_html(attack))

    assert "<" not in left
    assert ">" not in left


@pytest.mark.parametrize(
    ("written", "html"),
    [
        pytest.param("**a** _b_ `c`", "<p><strong>a</strong> <em>b</em> <code>c</code></p>", id="emphasis"),
        pytest.param("a\nb", "<p>a<br>\nb</p>", id="line breaks are kept"),
        pytest.param("1 < 2 & 3", "<p>1 &lt; 2 &amp; 3</p>", id="escaped once"),
        pytest.param(
            "Answer by [Friday](https://crm.example/4172?a=1&b=2)",
            '<p>Answer by <a href="https://crm.example/4172?a=1&amp;b=2"'
            ' rel="noopener noreferrer nofollow">Friday</a></p>',
            id="link",
        ),
        pytest.param("", "", id="empty"),
    ],
)
def test_html_of_a_description(written: str, html: str) -> None:
    assert markdown.to_html(written) == html


@pytest.mark.parametrize(
    ("written", "text"),
    [
        pytest.param("**a** _b_ `c`", "a b c", id="emphasis goes"),
        pytest.param("a\nb\n\nc", "a\nb\n\nc", id="paragraphs"),
        pytest.param("[Friday](https://crm.example/1)", "Friday <https://crm.example/1>", id="link"),
        pytest.param("<https://crm.example/1>", "https://crm.example/1", id="bare link once"),
        pytest.param("<ada@a.example>", "ada@a.example", id="address once"),
        pytest.param("- a\n- b\n  - c\n    d\n\n1. e\n2. f", "- a\n- b\n  - c\n    d\n\n1. e\n2. f", id="lists"),
        pytest.param("> a\n> b\n\nc", "> a\n> b\n\nc", id="quotation"),
        pytest.param("```\na\n  b\n```\nc", "    a\n      b\n\nc", id="code"),
        pytest.param("# a\nb", "a\n\nb", id="heading"),
        pytest.param("<script>x</script>", "<script>x</script>", id="text is not markup"),
        pytest.param("", "", id="empty"),
    ],
)
def test_text_of_a_description(written: str, text: str) -> None:
    assert markdown.to_text(written) == text


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://crm.example/4172?popup=true", True),
        ("http://localhost:8080/x", True),
        ("mailto:ada@a.example", True),
        ("javascript:alert(1)", False),
        ("https:evil.example", False),
        ("https://", False),
        ("mailto:", False),
        ("//evil.example", False),
        ("/relative", False),
        ("https://a.example/\u202egnp", False),
        ("https://a.example/a b", False),
        ("https://[broken", False),
        ("", False),
    ],
)
def test_a_link_is_absolute_and_of_a_safe_scheme(url: str, shown: bool) -> None:  # noqa: FBT001 - a table's column
    assert markdown.is_link(url) is shown
