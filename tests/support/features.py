"""Holds a full run to docs/features.md: a feature counts as shown only when the tests named for it ran and passed."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "features.md"
NOT_YET = "not yet"
_ROW = re.compile(r"^\| (?P<id>[A-Z]\d*) \| (?P<words>[^|]+) \| (?P<shown>[^|]+) \|$", re.MULTILINE)
_TEST = re.compile(r"`(tests/[\w/]+\.py::\w+)`")


@dataclass(frozen=True, slots=True)
class Feature:
    """A row of the page: its id, what it is in a few words, the tests that show it or why there are none yet."""

    id: str
    words: str
    shown: str

    @property
    def tests(self) -> tuple[str, ...]:
        """The node ids of the tests that show it, without parameters."""
        return tuple(_TEST.findall(self.shown))


def features(page: str) -> list[Feature]:
    """The rows of the page, in order."""
    return [Feature(row["id"], row["words"].strip(), row["shown"].strip()) for row in _ROW.finditer(page)]


def unshown(listed: Iterable[Feature], outcomes: Mapping[str, set[str]]) -> list[str]:
    """A sentence for each test a feature names that did not pass in every one of its forms."""
    return [
        f"{feature.id}: {test} {'was skipped' if outcomes.get(test) else 'did not run'}"
        for feature in listed
        for test in feature.tests
        if outcomes.get(test) != {"passed"}
    ]


class FeatureWatch:
    """Notes which tests passed, and fails a full run that leaves out what a feature rests on."""

    def __init__(self, config: pytest.Config) -> None:
        self._full = not (config.option.file_or_dir or config.option.keyword or config.option.markexpr)
        self._outcomes: dict[str, set[str]] = {}
        self._missing: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember how each form of a test ended: a skip speaks in the setup already."""
        if report.when == "call" or not report.passed:
            # What follows the name: the parameters, and with xdist's groups "@" and the group.
            test = re.split(r"[\[@]", report.nodeid)[0]
            self._outcomes.setdefault(test, set()).add(report.outcome)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail a run that was green although a feature's test was skipped or deselected."""
        if not self._full or session.exitstatus != pytest.ExitCode.OK or session.config.option.collectonly:
            return
        self._missing = unshown(features(PAGE.read_text()), self._outcomes)
        if self._missing:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say which features were left unshown."""
        if self._missing:
            terminalreporter.section("docs/features.md names tests that did not pass in this run")
            terminalreporter.line("\n".join(self._missing))


def pytest_configure(config: pytest.Config) -> None:
    """Watch in the process that sees every report: the run itself, not a worker of xdist."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(FeatureWatch(config), "feature-watch")
