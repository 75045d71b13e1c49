"""What a tenant's template may say, which params it needs, and what it makes of them."""

import pytest

from shared.contract import template_params
from shared.templates import filling, html_of_senders, language, shipped

HTML_BODY = "Client.Generic.HTMLBody.Mandrill.html"


@pytest.mark.parametrize(
    ("source", "required", "optional"),
    [
        ("Hello {{ userFirstName }}, order {{ order }}", {"userFirstName", "order"}, set()),
        ("{{ order|default('none') }}", set(), {"order"}),
        ("{% if order %}{{ order }}{{ price }}{% else %}{{ other }}{% endif %}", {"price", "other"}, {"order"}),
        ("{% if a and not b %}{{ a }}{{ b }}{% endif %}", set(), {"a", "b"}),
        ("{{ a if a else 'nothing' }}", set(), {"a"}),
        ("{{ a|upper|default('x') }}", {"a"}, set()),
        ("{{ a|default(b) }}", {"b"}, {"a"}),
        ("{% if a %}x{% endif %}{{ a }}", {"a"}, set()),
        ("{# {{ a }} #}{% raw %}{{ b }}{% endraw %}", set(), set()),
        (shipped.sources()[HTML_BODY], {"emailBody"}, {"emailSubject", "unsubcribeURL"}),
    ],
)
def test_the_params_a_template_needs_are_found_by_reading_it(
    source: str, required: set[str], optional: set[str]
) -> None:
    assert language.params_of(source) == language.Params(frozenset(required), frozenset(optional))


@pytest.mark.parametrize(
    "source",
    [
        "{% for i in range(1000000000) %}x{% endfor %}",
        "{{ 'x' * 1000000000 }}",
        "{{ a ~ a }}",
        "{{ 9 ** 9 }}",
        "{% set a = 'x' %}{{ a }}",
        "{% set a %}x{% endset %}",
        "{% macro a() %}{% endmacro %}",
        "{{ a.__class__ }}",
        "{{ a['b'] }}",
        "{{ a() }}",
        "{{ [a, a] }}",
        "{% include 'mail.html' %}",
        "{% extends 'mail.html' %}",
        "{% import 'mail.html' as mail %}",
        "{% autoescape false %}{{ a }}{% endautoescape %}",
        "{% if a|upper == 'A' %}x{% endif %}",
        "{{ a|upper|lower|upper|lower }}",
        "{{ a|safe }}",
        "{{ a|replace('a', 'aaaa') }}",
        "{{ self }}",
        "{{ _a }}",
        "{% if a is callable %}x{% endif %}",
        "{{ a",
        pytest.param("{{ " + "(" * 3_000 + "a" + ")" * 3_000 + " }}", id="deep"),
        pytest.param("{{ " + "not " * 3_000 + "a }}", id="deep words"),
        pytest.param("{% if a %}" * 40 + "{% endif %}" * 40, id="deep conditions"),
        pytest.param("x" * (language.LONGEST_SOURCE + 1), id="long"),
    ],
)
def test_what_could_run_long_or_reach_further_is_no_template(source: str) -> None:
    with pytest.raises(language.TemplateMistakeError):
        language.params_of(source)


def test_a_mistake_is_told_with_its_line() -> None:
    with pytest.raises(language.TemplateMistakeError, match=r"^line 2: a loop is not part of a template"):
        language.params_of("Hello\n{% for a in b %}{% endfor %}")


def test_params_are_escaped_and_only_what_the_template_calls_html_is_html() -> None:
    params = {"plain": "<b>&", "rich": '<b onclick="x()">bold</b><script>x()</script><a href="javascript:x()">no</a>'}
    made = filling.filled('<i title="{{ plain }}">{{ plain }}</i>{{ rich|html }}{{ plain|lines }}', params)
    assert made.startswith('<i title="&lt;b&gt;&amp;">&lt;b&gt;&amp;</i><b>bold</b>')
    assert "script" not in made
    assert "onclick" not in made
    assert "javascript" not in made
    assert made.endswith("&lt;b&gt;&amp;")


def test_the_shipped_template_shows_the_body_and_the_unsubscribe_address_where_there_is_one() -> None:
    source = shipped.sources()[HTML_BODY]
    with_address = filling.filled(source, {"emailBody": "<h1>Hi</h1>", "unsubcribeURL": "https://example.com/u/1"})
    assert "<h1>Hi</h1>" in with_address
    assert 'href="https://example.com/u/1"' in with_address
    assert "Unsubscribe" not in filling.filled(source, {"emailBody": "<h1>Hi</h1>"})


def test_a_template_is_not_filled_without_what_it_needs() -> None:
    with pytest.raises(filling.UnfillableError, match="order"):
        filling.filled("{{ order }}", {"other": "x"})


def test_what_a_template_makes_is_bounded() -> None:
    with pytest.raises(filling.UnfillableError, match="characters"):
        filling.filled("{{ a }}" * 1_000, {"a": "x" * 100_000})


def test_a_template_that_takes_too_long_is_left() -> None:
    slow = "{{ a|html|urlencode|truncate(5) }}" * 1_500
    with pytest.raises(filling.UnfillableError, match="longer than"):
        filling.filled(slow, {"a": "<p>é " * 200_000})


def test_what_a_sender_gave_too_little_is_told_in_order_and_what_is_personal_never_lacks() -> None:
    assert template_params.lacking(["b", "a", "c", "userFirstName", "unsubcribeURL"], ["c", "d"]) == ["a", "b"]


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>One <b>two</b></p><p>three<br>four</p>", "One two\n\nthree\nfour"),
        ('<a href="https://a.example/b">here</a> and <a href="https://a.example">https://a.example</a>',
         "here <https://a.example/b> and https://a.example"),
        ("<ul><li>a</li><li>b</li></ul>", "- a\n- b"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
        ("<head><title>no</title><style>p{}</style></head><body><script>no</script>yes &amp; more</body>",
         "yes & more"),
        ('<img src="x" alt="A chart"> a<i>b</i>c', "A chart abc"),
    ],
)  # fmt: skip
def test_html_has_a_text_that_reads_alike(html: str, text: str) -> None:
    assert html_of_senders.text_of(html) == text
