"""What the Desktop Assistant helper needs before it asks anybody."""

import pytest

from shared.client import ClientError, DesktopAppNotificationUtils


@pytest.mark.parametrize("missing", ["TOCSIN_INGEST_URL", "TOCSIN_API_KEY"])
def test_what_is_neither_given_nor_in_the_environment_is_named(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_INGEST_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("TOCSIN_API_KEY", "tk_x")
    monkeypatch.setenv(missing, "")
    with pytest.raises(ClientError, match=missing):
        DesktopAppNotificationUtils()
    monkeypatch.delenv(missing)
    with pytest.raises(ClientError, match=missing):
        DesktopAppNotificationUtils()
