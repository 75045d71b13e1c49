"""The checks of the manifests find what they are for, and never pass silently where they could not run."""

from pathlib import Path

import pytest

from deploy.k8s import check, toolchain
from tests.support import manifests


@pytest.fixture
def tools() -> Path:
    manifests.rendered(check.BASE)
    return toolchain.folder()


@pytest.fixture
def without_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.mark.usefixtures("without_go")
@pytest.mark.parametrize(("ci", "code"), [("", 0), ("true", 1)], ids=["by hand", "in CI"])
def test_without_go_the_check_says_so_and_fails_only_in_ci(
    ci: str, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CI", ci)
    assert check.main() == code
    assert "manifests NOT checked: `go` is not on the PATH; install Go" in capsys.readouterr().err


def test_the_tools_of_other_pins_are_other_tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain, "MODULE", tmp_path)
    (tmp_path / "go.mod").write_text("module one\n")
    (tmp_path / "go.sum").write_text("")
    before = toolchain.folder()
    (tmp_path / "go.sum").write_text("example.org/x v1.0.0 h1:=\n")
    assert toolchain.folder() != before
    assert not toolchain.built()


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("terminationGracePeriodSeconds: 45", "terminationGracePeriodSecond: 45"),
        ("clusterIP: None", "clusterIP: [None]"),
        ("partitions: 6", "partitions: six"),
    ],
)
def test_a_misspelt_field_or_wrong_value_is_refused(right: str, wrong: str, tools: Path) -> None:
    sound = check.render(check.BASE, tools)
    assert check.conforms(sound, tools)
    assert right in sound
    assert not check.conforms(sound.replace(right, wrong, 1), tools)


def test_a_pod_that_may_write_its_own_root_is_remarked_upon(tools: Path) -> None:
    sound = check.render(check.BASE, tools)
    weak = sound.replace("readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", 1)
    assert check.remarks(sound, tools, check.DECLINED) == []
    (remark,) = check.remarks(weak, tools, check.DECLINED)
    assert "root filesystem" in remark.lower()
