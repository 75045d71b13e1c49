"""Which Java is new enough for the broker."""

import pathlib

import pytest

from deploy.local import errors
from deploy.local.kafka import java


@pytest.mark.parametrize(
    ("report", "major"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('openjdk version "21" 2023-09-19', 21),
        ('java version "1.8.0_452"', 8),
        ('openjdk version "25-ea" 2025-09-16', 25),
        ("no such thing", None),
    ],
)
def test_the_major_version_is_read_from_what_java_says(report: str, major: int | None) -> None:
    assert java.major_version(report) == major


def test_a_java_home_without_java_is_named_with_what_to_do(tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.LocalStackError, match=r"JAVA_HOME=.*install Java 17"):
        java.find({"JAVA_HOME": str(tmp_path)})
