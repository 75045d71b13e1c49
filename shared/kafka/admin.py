"""Making the topics of the contract; brokers do not make them by themselves."""

from collections.abc import Sequence

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from shared.contract.outcomes import Reason
from shared.contract.topics import TOPICS, Topic
from shared.errors import TransientError
from shared.runtime.settings import KafkaSettings


async def create_topics(settings: KafkaSettings, replication: int = 1, topics: Sequence[Topic] = TOPICS) -> list[str]:
    """Create what is missing of the table of topics; returns the names created, with prefix.

    Raises:
        TransientError: no broker answers, or it refused for a reason that may pass.
    """
    client = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)
    try:
        await client.start()
        response = await client.create_topics([_new(settings, topic, replication) for topic in topics])
    except KafkaError as error:
        raise TransientError(f"Kafka: {type(error).__name__}", Reason.KAFKA_UNAVAILABLE) from error
    finally:
        await client.close()
    created: list[str] = []
    for name, code, *_ in response.topic_errors:
        if code == 0:
            created.append(name)
        elif for_code(code) is not TopicAlreadyExistsError:
            raise TransientError(f"Kafka refused topic {name}: {for_code(code).__name__}", Reason.KAFKA_UNAVAILABLE)
    return created


def _new(settings: KafkaSettings, topic: Topic, replication: int) -> NewTopic:
    configuration = {name: str(value) for name, value in topic.configuration().items()}
    return NewTopic(settings.topic(topic.name), topic.partitions, replication, topic_configs=configuration)
