"""Cursors say where a page ended, and take nothing else for one."""

import pytest
from pydantic import TypeAdapter

from shared.runtime import pages
from shared.runtime.problems import ProblemError

PLACE = TypeAdapter(tuple[str, int])


def test_a_cursor_says_where_its_page_ended() -> None:
    assert pages.decoded(pages.encoded(["Zoë/€", 7]), PLACE) == ("Zoë/€", 7)


def test_the_first_page_has_no_cursor() -> None:
    assert pages.decoded(None, PLACE) is None


@pytest.mark.parametrize(
    "cursor", ["", "%", "e30", "Zm9v", pages.encoded([1]), pages.encoded(["a", "b"]), "é", "A" * 5], ids=repr
)
def test_what_is_no_cursor_of_the_list_is_refused(cursor: str) -> None:
    with pytest.raises(ProblemError) as refused:
        pages.decoded(cursor, PLACE)
    assert refused.value.status == 422
    assert refused.value.errors[0].pointer == "/cursor"


@pytest.mark.parametrize(
    ("found", "items", "more"), [([], [], False), ([1, 2], [1, 2], False), ([1, 2, 3], [1, 2], True)]
)
def test_a_page_has_a_next_one_only_when_more_was_found(found: list[int], items: list[int], *, more: bool) -> None:
    answer = pages.page(found, 2, lambda item: [item])
    assert answer.items == items
    assert (answer.next is not None) is more
