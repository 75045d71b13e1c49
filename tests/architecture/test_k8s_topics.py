"""The topics a cluster gets are the topics of the contract."""

import json
from typing import Any

import jsonschema
import pytest
import yaml

from deploy.k8s import generate, schemas, topics
from shared.contract.topics import TOPICS, Topic

COMMITTED = generate.BASE / "topics.yaml"


def test_the_committed_topics_are_what_the_table_says_now() -> None:
    assert COMMITTED.read_text() == topics.manifest(), "run `make generate`"


def test_a_cluster_gets_every_topic_of_the_table_and_no_other() -> None:
    names = [each["metadata"]["name"] for each in yaml.safe_load_all(COMMITTED.read_text())]
    assert names == [topic.name for topic in TOPICS]


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_a_topic_is_a_kafkatopic_as_strimzi_takes_it(topic: Topic) -> None:
    schema = json.loads((schemas.CUSTOM / "kafka.strimzi.io" / "kafkatopic_v1.json").read_text())
    jsonschema.validate(topics.resource(topic), schema)


def test_a_topic_keeps_as_long_as_the_table_says_on_three_brokers_of_which_two_must_have_it() -> None:
    topic = Topic("a.topic", None, "any", ("ingest",), ("others",), partitions=12, retention_ms=6000)
    assert topics.resource(topic)["spec"] == {
        "partitions": 12,
        "replicas": 3,
        "config": {
            "min.insync.replicas": 2,
            "cleanup.policy": "delete",
            "retention.ms": 6000,
            "segment.ms": 1000,
        },
    }


def test_a_topic_of_whole_requests_takes_larger_records_than_the_broker_does_by_itself() -> None:
    topic = Topic("a.topic", None, "any", ("ingest",), ("others",), largest_record_bytes=2_097_152)
    assert topics.resource(topic)["spec"]["config"]["max.message.bytes"] == 2_097_152


def test_a_compacted_topic_is_cut_by_age_too_so_that_it_keeps_no_permanent_record() -> None:
    topic = Topic("a.topic", None, "any", ("ingest",), ("others",), retention_ms=6000, compacted=True)
    config: dict[str, Any] = topics.resource(topic)["spec"]["config"]
    assert (config["cleanup.policy"], config["retention.ms"]) == ("compact,delete", 6000)


@pytest.mark.parametrize(
    ("part", "change"), [("spec", {"partition": 3}), ("spec", {"replicas": 0}), ("metadata", {"labels": {}})]
)
def test_a_misspelt_or_senseless_kafkatopic_is_refused(part: str, change: dict[str, Any]) -> None:
    schema = json.loads((schemas.CUSTOM / "kafka.strimzi.io" / "kafkatopic_v1.json").read_text())
    resource = topics.resource(TOPICS[0])
    resource[part] |= change
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(resource, schema)
