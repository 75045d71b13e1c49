"""Templates filled in for one reader, within bounds of size and time."""

import time
from collections.abc import Mapping

from shared.contract import template_params
from shared.templates import language

LONGEST_HTML = 12_000_000
"""Characters: a body of ten million (seed 001) with everything around it."""

_LONGEST_SECONDS = 2.0


class UnfillableError(ValueError):
    """A template and params that make no mail: one lacks, or what they make is too large or takes too long."""


def filled(source: str, params: Mapping[str, str]) -> str:
    """The HTML of a template with these params; takes as long as its params are large, so not on an event loop.

    Raises:
        TemplateMistakeError: the template is not of the language.
        UnfillableError: see there.
    """
    if lacking := template_params.lacking(language.params_of(source).required, params):
        raise UnfillableError(f"the template needs the params {', '.join(lacking)}")
    pieces: list[str] = []
    size, until = 0, time.monotonic() + _LONGEST_SECONDS
    for piece in language.compiled(source).generate(params):
        pieces.append(piece)
        size += len(piece)
        if size > LONGEST_HTML:
            raise UnfillableError(f"the template makes more than {LONGEST_HTML:,} characters of these params")
        if time.monotonic() > until:
            raise UnfillableError(f"the template takes longer than {_LONGEST_SECONDS:.0f} s with these params")
    return "".join(pieces)
