"""What the demo clears away before it begins."""

import uuid

import pytest

from deploy.local.demo.stage import is_of_demo
from shared.client.answers import Endpoint


@pytest.mark.parametrize(
    ("recipient", "address", "expected"),
    [
        pytest.param("ada", "http://127.0.0.1:40123/hooks/ada", True, id="the catcher's of an earlier start"),
        pytest.param("ada", "http://127.0.0.1:8000/mine", False, id="another at this machine"),
        pytest.param("ada", "https://example.com/hooks/ada", False, id="another elsewhere"),
        pytest.param("kim", "http://127.0.0.1:40123/hooks/kim", False, id="of a user who was added"),
    ],
)
def test_the_demo_makes_only_its_own_endpoints_anew(recipient: str, address: str, *, expected: bool) -> None:
    endpoint = Endpoint(
        id=uuid.uuid4(), recipient=recipient, channel="push", kind="webhook", address=address, state="active"
    )
    assert is_of_demo(endpoint, ["ada", "grace"]) is expected
