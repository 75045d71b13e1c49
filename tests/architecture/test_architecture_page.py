"""The picture of the architecture says what the table of topics says."""

import re
from xml.etree import ElementTree as ET

import pytest

from deploy import architecture, drawing, generated
from shared.contract.topics import TOPICS, Topic
from shared.postgres import migrate

SVG = "{http://www.w3.org/2000/svg}"


def words(picture: str) -> list[str]:
    return [each.text or "" for each in ET.fromstring(picture).iter(f"{SVG}text")]  # noqa: S314 - our own drawing


def test_the_committed_picture_and_table_are_current() -> None:
    assert generated.stale(architecture.files) == [], "run `make generate`"


def test_topics_that_differ_only_by_lane_and_channel_are_one_row() -> None:
    assert drawing.label(["deliveries.push.urgent", "deliveries.push.bulk", "deliveries.email.urgent"]) == (
        "deliveries.{push,email}.{urgent,bulk}"
    )
    assert drawing.label(["dead.letters"]) == "dead.letters"


def test_every_topic_is_in_exactly_one_row() -> None:
    drawn = [topic.name for row in drawing.rows(TOPICS) for topic in row.topics]
    assert drawn == [topic.name for topic in TOPICS]


def test_the_picture_names_each_writer_and_reader_once_a_side_and_each_row_of_topics() -> None:
    producers = {name for topic in TOPICS for name in topic.producers}
    consumers = {name for topic in TOPICS for name in topic.consumers}
    labels = [row.label for row in drawing.rows(TOPICS)]
    titles = ["written by", "topic", "read by"]
    assert sorted(words(drawing.picture(TOPICS))) == sorted([*titles, *producers, *consumers, *labels])


def test_the_picture_has_an_arrow_for_every_writer_and_reader_of_a_row() -> None:
    expected = sum(len(row.producers) + len(row.consumers) for row in drawing.rows(TOPICS))
    assert len(re.findall(r'fill="none" stroke=', drawing.picture(TOPICS))) == expected


def test_the_page_tells_what_each_table_of_the_schema_holds() -> None:
    schema = "".join(step.sql for step in migrate.migrations())
    tables = set(re.findall(r"^CREATE TABLE (?:IF NOT EXISTS )?(\w+)", schema, re.MULTILINE))
    (record,) = re.findall(
        r"^## The record\n(.*?)^Rows that expire", architecture.PAGE.read_text(), re.MULTILINE | re.DOTALL
    )
    first = [line.split("|")[1] for line in record.splitlines() if line.startswith("| `")]
    assert sorted(re.findall(r"`(\w+)`", "".join(first))) == sorted(tables)


def test_a_page_without_the_marks_is_refused_with_what_to_do() -> None:
    with pytest.raises(ValueError, match="must hold the lines"):
        architecture.page("# A page", TOPICS)


@pytest.mark.parametrize(
    ("topic", "said"),
    [
        (Topic("a", None, "any", (), (), retention_ms=3_600_000), "1 h"),
        (Topic("a", None, "any", (), (), retention_ms=3 * 86_400_000), "3 days"),
        (Topic("a", None, "any", (), (), compacted=True), "the last of each key, 3 days"),
    ],
)
def test_the_table_says_how_long_records_stay(topic: Topic, said: str) -> None:
    assert architecture.kept(topic) == said
