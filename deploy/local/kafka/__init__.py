"""Apache Kafka as one JVM: the jars, the properties, the process."""

from deploy.local.kafka.broker import Kafka
from deploy.local.kafka.groups import forget_members

__all__ = ["Kafka", "forget_members"]
