"""What a service needs to make and open unsubscribe links, in tests."""

from pathlib import Path
from typing import Any

from shared.runtime.secret_file import SecretFile
from shared.unsubscribe import UnsubscribeLinks

PUBLIC_URL = "https://inbox.example"
SECRET_FILE = Path(__file__).with_name("unsubscribe.secret")
SETTINGS: dict[str, Any] = {"unsubscribe_secret_file": str(SECRET_FILE), "inbox_public_url": PUBLIC_URL}
ENVIRONMENT = {f"TOCSIN_{name.upper()}": value for name, value in SETTINGS.items()}


def links() -> UnsubscribeLinks:
    """Links as the dispatcher makes them and the inbox opens them."""
    return UnsubscribeLinks(SecretFile(SECRET_FILE), PUBLIC_URL)


def token(link: str) -> str:
    """The part of a link that the inbox reads."""
    assert link.startswith(f"{PUBLIC_URL}/u/")
    return link.rpartition("/")[2]
