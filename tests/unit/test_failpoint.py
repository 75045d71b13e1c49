import pytest

from shared import failpoint


def test_a_failpoint_that_nobody_armed_does_nothing() -> None:
    assert failpoint.armed("") == {}
    failpoint.failpoint("nobody.named_this")


def test_armed_names_map_to_their_actions() -> None:
    assert failpoint.armed("a.b=kill, c.d=stop,e=raise,") == {"a.b": "kill", "c.d": "stop", "e": "raise"}


@pytest.mark.parametrize("setting", ["a", "a=", "=kill", "a=explode"])
def test_a_pair_that_means_nothing_is_refused(setting: str) -> None:
    with pytest.raises(ValueError, match="TOCSIN_FAILPOINTS"):
        failpoint.armed(setting)


def test_a_failpoint_told_to_raise_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.failpoint._ARMED", {"here": "raise"})
    with pytest.raises(failpoint.FailpointError, match="here"):
        failpoint.failpoint("here")
