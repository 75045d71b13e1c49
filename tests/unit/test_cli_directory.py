"""Files of users: good lines become users, bad lines are told and stop nobody."""

from cli import directory

CSV = """id,email,first_name,roles,kind
ada,ada@example.test,Ada,admin; operator,
printer,,,,system

,nobody@example.test,,,
"""


def test_csv_leaves_out_empty_cells_and_splits_roles() -> None:
    ada, printer, _ = directory.rows(CSV, as_csv=True)
    assert ada.user == {
        "id": "ada", "email": "ada@example.test", "first_name": "Ada", "roles": ["admin", "operator"]
    }  # fmt: skip
    assert printer.user == {"id": "printer", "kind": "system"}


def test_a_line_without_id_is_told_by_its_number() -> None:
    wrong = list(directory.rows(CSV, as_csv=True))[2]
    assert (wrong.line, wrong.user, "/id" in wrong.error) == (5, None, True)


def test_an_unknown_column_is_an_error_of_every_line_that_uses_it() -> None:
    (row,) = directory.rows("id,mail\nada,a@example.test\n", as_csv=True)
    assert row.user is None
    assert "/mail: there is no such field" in row.error


def test_cells_beyond_the_header_are_an_error() -> None:
    (row,) = directory.rows("id,email\nada,a@example.test,more\n", as_csv=True)
    assert row.user is None


def test_ndjson_goes_on_after_a_line_that_is_not_json() -> None:
    first, second, third = directory.rows('{"id": "ada"}\n{"id":\n{"id": "grace"}\n', as_csv=False)
    assert (first.user, third.user) == ({"id": "ada"}, {"id": "grace"})
    assert (second.line, second.error.startswith("not JSON")) == (2, True)


def test_a_kind_that_does_not_exist_is_refused() -> None:
    (row,) = directory.rows('{"id": "ada", "kind": "robot"}', as_csv=False)
    assert "/kind" in row.error
