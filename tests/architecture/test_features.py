"""docs/features.md lists every feature once, and names only tests that are there."""

import ast
from pathlib import Path

import pytest

from tests.support import features
from tests.support.features import Feature

ROOT = features.PAGE.parents[1]
IDS = [
    *(f"D{number}" for number in range(1, 9)),
    *(f"A{number}" for number in range(1, 9)),
    *(f"B{number}" for number in range(1, 14)),
    *(f"C{number}" for number in range(1, 14)),
    "I",
    *(f"X{number}" for number in range(1, 17)),
]


def defined(file: Path) -> set[str]:
    """The names of the functions at the top of a test file."""
    found = ast.parse(file.read_text()).body
    return {each.name for each in found if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_the_page_has_one_row_for_every_feature_in_order() -> None:
    assert [feature.id for feature in features.features(features.PAGE.read_text())] == IDS


@pytest.mark.parametrize("feature", features.features(features.PAGE.read_text()), ids=lambda feature: str(feature.id))
def test_a_row_says_not_yet_or_names_tests_that_exist(feature: Feature) -> None:
    assert feature.tests or feature.shown.startswith(features.NOT_YET), feature.shown
    assert not (feature.tests and features.NOT_YET in feature.shown), "a feature is shown whole or not yet"
    for test in feature.tests:
        file, _, name = test.partition("::")
        assert (ROOT / file).is_file(), f"{test}: no such file"
        assert name in defined(ROOT / file), f"{test}: no such test"


def test_a_test_that_did_not_pass_in_every_form_leaves_its_feature_unshown() -> None:
    feature = Feature("X2", "idempotency", "`tests/e2e/a.py::test_one`, `tests/e2e/a.py::test_two`")
    one, two = feature.tests
    assert features.unshown([feature], {one: {"passed"}, two: {"passed"}}) == []
    assert features.unshown([feature], {one: {"passed"}}) == [f"X2: {two} did not run"]
    assert features.unshown([feature], {one: {"passed"}, two: {"passed", "skipped"}}) == [f"X2: {two} was skipped"]


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A suite of two tests, one of them skipped, and a page that names both."""
    page = pytester.path / "features.md"
    page.write_text("| D1 | one | `tests/test_it.py::test_runs` |\n| D2 | two | `tests/test_it.py::test_skipped` |\n")
    monkeypatch.setattr(features, "PAGE", page)
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    (pytester.path / "tests").mkdir()
    (pytester.path / "tests" / "test_it.py").write_text(
        "import pytest\n\ndef test_runs(): pass\n\n@pytest.mark.skip\ndef test_skipped(): pass\n"
    )
    return pytester


@pytest.mark.parametrize("workers", [[], ["-n", "1"]], ids=["one process", "xdist"])
def test_a_full_run_that_skips_the_test_of_a_feature_fails_and_names_it(
    suite: pytest.Pytester, workers: list[str]
) -> None:
    run = suite.runpytest_inprocess("-p", "tests.support.features", *workers)
    assert run.ret == pytest.ExitCode.TESTS_FAILED
    assert "D2: tests/test_it.py::test_skipped was skipped" in run.stdout.str()
    assert "D1:" not in run.stdout.str()


@pytest.mark.parametrize("chosen", [["tests/test_it.py"], ["-k", "runs"]], ids=["file", "keyword"])
def test_a_run_of_some_tests_is_not_held_to_the_page(suite: pytest.Pytester, chosen: list[str]) -> None:
    assert suite.runpytest_inprocess("-p", "tests.support.features", *chosen).ret == pytest.ExitCode.OK
