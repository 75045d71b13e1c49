"""Apache Kafka as one JVM: the jars, the properties, the process."""

from deploy.local.kafka.broker import Kafka

__all__ = ["Kafka"]
