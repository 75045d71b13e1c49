"""The keywords of the client are the fields of the door, one for one."""

from typing import Any

import pytest

from shared.client import fields
from shared.contract import requests


@pytest.mark.parametrize(
    ("keywords", "model"),
    [
        (fields.NotificationFields, requests.NotificationRequest),
        (fields.AudienceFields, requests.Audience),
        (fields.ItemFields, requests.Item),
        (fields.ScheduleFields, requests.ScheduleRequest),
        (fields.MailFields, requests.Mail),
    ],
)
def test_a_keyword_stands_for_each_field_and_is_required_where_the_field_is(keywords: Any, model: Any) -> None:
    assert keywords.__annotations__.keys() == model.model_fields.keys()
    required = {name for name, field in model.model_fields.items() if field.is_required()}
    assert keywords.__required_keys__ == required
