"""How xdist spreads the suite over its workers: by file, and what shares a running system by the system it shares."""

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling, Scheduling

_SHARING = {
    "tests/e2e/test_quiet_hours": "tests/e2e/test_quiet_hours",  # moves the clock of a system of its own
    "tests/e2e/": "tests/e2e",
    "tests/chaos/test_kill": "tests/chaos/test_kill",
}
"""Tests by how their ids begin, and the name of their group: one worker takes all of it, and starts one system."""

_APART = ("tests/integration/test_http_apis",)
"""Files of few long tests that share nothing: each is a group by itself."""


class Spreading(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """Files in the order of their names, so that the folders that take longest come first and the units last."""

    def __init__(self, config: pytest.Config, log: Producer) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(_APART):
            return nodeid
        shared = (group for begins, group in _SHARING.items() if nodeid.startswith(begins))
        return next(shared, super()._split_scope(nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling | None:
    """Take the place of `--dist loadfile`."""
    return Spreading(config, log) if config.getoption("dist") == "loadfile" else None
