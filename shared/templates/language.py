"""The language of tenants' templates: Jinja's, without what could run for long or reach beyond the given params.

A template shows params and leaves parts out; it has no loops, calls, attributes, arithmetic or variables of its own.
So each mark costs no more than the value it shows, and whoever fills a template in can stop between two marks.
The template is its tenant's HTML and stays as written. Params are escaped where they are shown; one shown through the
filter `html` is HTML itself and sanitised.
"""

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from jinja2 import Template, TemplateSyntaxError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup, escape

from shared.templates import html_of_senders

LONGEST_SOURCE = 200_000
"""Characters. A mail beyond a tenth of a megabyte is cut off by large mail programs anyway."""

_MOST_FILTERS = 3
_DEEPEST = 20
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}")
_OWN_NAMES = frozenset({"self"})
_CONDITIONS = (nodes.If, nodes.CondExpr)

_LANGUAGE = frozenset({
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Filter, nodes.Keyword, nodes.If,
    nodes.CondExpr, nodes.Not, nodes.And, nodes.Or, nodes.Compare, nodes.Operand, nodes.Test,
})  # fmt: skip
_WORDS: dict[type[nodes.Node], str] = {
    nodes.For: "a loop",
    nodes.Call: "a call",
    nodes.Getattr: "an attribute",
    nodes.Getitem: "an index",
    nodes.Assign: "a variable of its own",
    nodes.AssignBlock: "a variable of its own",
    nodes.Include: "another template",
    nodes.Extends: "another template",
    nodes.Import: "another template",
    nodes.FromImport: "another template",
}
_OWN_FILTERS = ("html", "lines")
_FILTERS = (
    "capitalize", "d", "default", "e", "escape", "lower", "title", "trim", "truncate", "upper", "urlencode",
    *_OWN_FILTERS,
)  # fmt: skip
_TESTS = ("defined", "undefined")


class TemplateMistakeError(ValueError):
    """What is wrong with a template, as its author should read it."""


@dataclass(frozen=True, slots=True)
class Params:
    """The params a template shows.

    `required` are shown as they are; `optional` only where the template asks for them (`{% if … %}`) or has another
    text in their place (`|default(…)`).
    """

    required: frozenset[str]
    optional: frozenset[str]


@functools.lru_cache(maxsize=64)
def params_of(source: str) -> Params:
    """The params of a template, found by reading it.

    Raises:
        TemplateMistakeError: it is too long, is not Jinja, or says more than the language has.
    """
    if len(source) > LONGEST_SOURCE:
        raise TemplateMistakeError(f"has more than {LONGEST_SOURCE:,} characters; make it shorter")
    tree = _tree(source)
    names = {name.name for name in _names(tree)}  # nothing in the language gives a name a value
    for name in sorted(names):
        if not _NAME.fullmatch(name) or name in _OWN_NAMES:
            raise TemplateMistakeError(f"{name[:100]!r} is no name of a param; use letters, digits and _")
    required = frozenset(_shown_as_they_are(tree, frozenset()))
    return Params(required, frozenset(names) - required)


@functools.lru_cache(maxsize=64)
def shows_as_html(source: str, name: str) -> bool:
    """Whether a template shows a param as `{{ name|html }}` and never in another way; raises TemplateMistakeError."""
    params_of(source)
    return not _shows_otherwise(_tree(source), name)


@functools.lru_cache(maxsize=64)
def compiled(source: str) -> Template:
    """A template of this language, ready to be filled in; raises TemplateMistakeError."""
    params_of(source)
    try:
        return _environment().from_string(source)
    except TemplateSyntaxError as error:
        raise _mistake(error) from error


def _tree(source: str) -> nodes.Template:
    try:
        tree = _environment().parse(source)
        _check(tree, 0)
    except TemplateSyntaxError as error:
        raise _mistake(error) from error
    except (RecursionError, SyntaxError) as error:
        raise TemplateMistakeError("is nested too deep; make it flatter") from error
    return tree


def _mistake(error: TemplateSyntaxError) -> TemplateMistakeError:
    return TemplateMistakeError(f"line {error.lineno}: {error.message}")


def _check(node: nodes.Node, depth: int) -> None:
    """Raise TemplateMistakeError for what is not of the language."""
    if type(node) not in _LANGUAGE:
        what = _WORDS.get(type(node), f"{type(node).__name__} of Jinja")
        raise _not_said(node, f"{what} is not part of a template; show params, with {{% if %}} around what may lack")
    if depth > _DEEPEST:
        raise _not_said(node, "is nested too deep; make it flatter")
    _check_words(node)
    if isinstance(node, _CONDITIONS) and next(_filters(node.test), None) is not None:
        raise _not_said(node, "a condition asks for params as they are, without filters")
    if isinstance(node, nodes.Filter) and sum(1 for _ in _filters(node)) > _MOST_FILTERS:
        raise _not_said(node, f"more than {_MOST_FILTERS} filters; one after the other they could take for ever")
    for child in node.iter_child_nodes():
        _check(child, depth + 1)


def _check_words(node: nodes.Node) -> None:
    """Jinja itself looks for filters and tests within a condition only when it comes there."""
    known = _FILTERS if isinstance(node, nodes.Filter) else _TESTS
    if isinstance(node, nodes.Filter | nodes.Test) and node.name not in known:
        raise _not_said(node, f"{node.name!r} is not one of {', '.join(known)}")


def _not_said(node: nodes.Node, why: str) -> TemplateMistakeError:
    return TemplateMistakeError(f"line {node.lineno or 1}: {why}")


def _filters(node: nodes.Node) -> Iterator[nodes.Filter]:
    if isinstance(node, nodes.Filter):
        yield node
    yield from node.find_all(nodes.Filter)


def _shown_as_they_are(node: nodes.Node, asked: frozenset[str]) -> Iterator[str]:
    """Names that are shown where the template has not asked whether they are there."""
    if isinstance(node, nodes.Name):
        yield from () if node.name in asked else (node.name,)
        return
    passed: nodes.Node | None = None
    if isinstance(node, _CONDITIONS):
        passed = node.test
        asked |= {name.name for name in _names(passed)}
    elif isinstance(node, nodes.Filter) and node.name in {"d", "default"} and isinstance(node.node, nodes.Name):
        passed = node.node
    for child in node.iter_child_nodes():
        if child is not passed:
            yield from _shown_as_they_are(child, asked)


def _shows_otherwise(node: nodes.Node, name: str) -> bool:
    """Whether a param is shown within a node, but by the filter `html` alone."""
    if isinstance(node, nodes.Name):
        return node.name == name
    asked = node.test if isinstance(node, _CONDITIONS) else None
    is_whole = isinstance(node, nodes.Output | nodes.CondExpr)
    return any(
        _shows_otherwise(child, name)
        for child in node.iter_child_nodes()
        if child is not asked and not (is_whole and _is_html(child))
    )


def _is_html(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Filter) and node.name == "html" and isinstance(node.node, nodes.Name)


def _names(node: nodes.Node) -> Iterator[nodes.Name]:
    if isinstance(node, nodes.Name):
        yield node
    yield from node.find_all(nodes.Name)


@functools.cache
def _environment() -> ImmutableSandboxedEnvironment:
    """Jinja with the filters and tests of the language, no globals and no way to any file."""
    environment = ImmutableSandboxedEnvironment(autoescape=True, cache_size=0)
    environment.globals.clear()
    environment.filters |= dict(zip(_OWN_FILTERS, (html_of_senders.sanitised, _lines), strict=True))
    environment.filters = {name: environment.filters[name] for name in _FILTERS}
    environment.tests = {name: environment.tests[name] for name in _TESTS}
    return environment


def _lines(text: str) -> Markup:
    """The filter `lines`: text with its line breaks shown."""
    return Markup("<br>\n").join(escape(line) for line in str(text).splitlines())
