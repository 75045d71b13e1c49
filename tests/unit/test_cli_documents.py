"""`tocsin validate` and the files that `send` reads: what is in them, and every error in its place."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import tocsin

SOUND = {"source": "billing", "name": "Invoice 81", "description": "Paid.", "recipients": ["ada"]}
BROKEN = {"source": "billing", "nmae": "Invoice 81", "description": "", "recipients": ["ada"]}


def file_with(folder: Path, text: str) -> str:
    path = folder / "notifications.json"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps([SOUND, SOUND]),
        json.dumps({"notifications": [SOUND, SOUND]}),
        f"{json.dumps(SOUND)}\n\n{json.dumps(SOUND)}\n",
        f"\ufeff{json.dumps([SOUND, SOUND], indent=2)}",
    ],
    ids=["array", "batch", "ndjson", "byte_order_mark"],
)
def test_a_file_may_hold_many_notifications_in_any_usual_form(text: str, tmp_path: Path) -> None:
    ran = tocsin("validate", file_with(tmp_path, text), "--json")
    assert (ran.code, ran.json) == (0, {"notifications": 2, "valid": 2, "errors": {}})


def test_every_error_is_told_with_its_place(tmp_path: Path) -> None:
    ran = tocsin("validate", file_with(tmp_path, json.dumps([SOUND, BROKEN])), "--json")
    assert ran.code == 1
    assert ran.json["valid"] == 1
    assert {error["pointer"] for error in ran.json["errors"]["1"]} == {"/name", "/nmae", "/description"}


def test_people_read_which_notification_of_how_many_is_wrong(tmp_path: Path) -> None:
    ran = tocsin("validate", file_with(tmp_path, json.dumps([SOUND, BROKEN])))
    assert "notification 2 of 2:" in ran.out
    assert "  /nmae: there is no such field" in ran.out
    assert ran.out.endswith("1 of 2 valid\n")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "is not JSON"),
        (f"{json.dumps(SOUND)}\nno", "line 2"),
        ("[]", "holds no notification"),
        ("", "holds no notification"),
    ],
    ids=["half_an_object", "second_line", "empty_array", "empty_file"],
)
def test_a_file_that_holds_no_notifications_is_refused_with_a_sentence(
    text: str, complaint: str, tmp_path: Path
) -> None:
    ran = tocsin("validate", file_with(tmp_path, text))
    assert ran.code == 1
    assert complaint in ran.err


@pytest.mark.parametrize("body", [[1], ["text"], [[]], [None]], ids=["number", "text", "array", "null"])
def test_what_is_no_object_is_an_error_of_its_place(body: Any, tmp_path: Path) -> None:
    ran = tocsin("validate", file_with(tmp_path, json.dumps(body)), "--json")
    assert (ran.code, [error["pointer"] for error in ran.json["errors"]["0"]]) == (1, [""])


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    ran = tocsin("validate", str(tmp_path / "nowhere.json"))
    assert (ran.code, "cannot read" in ran.err, "Traceback" in ran.err) == (1, True, False)
