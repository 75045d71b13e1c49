"""The image holds what was tested, and runs as the manifests say."""

import re
from pathlib import Path

from deploy.k8s import generate

ROOT = Path(__file__).parents[2]
PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)==(\S+)", re.MULTILINE | re.IGNORECASE)


def pins(name: str) -> set[tuple[str, ...]]:
    return set(PIN.findall((ROOT / "requirements" / name).read_text()))


def test_the_image_and_a_run_take_no_version_that_the_suite_was_not_run_with() -> None:
    assert pins("image.txt")
    assert pins("image.txt") <= pins("run.txt") <= pins("dev.txt"), "run `make lock`"


def test_the_image_runs_as_the_user_that_the_manifests_ask_for() -> None:
    user = re.search(r"^USER (\d+):(\d+)$", (ROOT / "Containerfile").read_text(), re.MULTILINE)
    restricted = (generate.BASE / "patches" / "restricted.yaml").read_text()
    assert user
    assert set(re.findall(r"runAsUser: (\d+)", restricted)) == {user[1]}
    assert set(re.findall(r"runAsGroup: (\d+)", restricted)) == {user[2]}
