"""The broker's `server.properties`: one node that is broker and controller, on loopback."""

import pathlib

from deploy.local.ports import LOOPBACK

NODE = 1
# Every internal topic has one replica, for there is one node; few partitions, so that a group finds its
# coordinator at once after a start.
FIXED = {
    "process.roles": "broker,controller",
    "node.id": str(NODE),
    "listener.security.protocol.map": "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "CLIENT",
    "controller.listener.names": "CONTROLLER",
    "auto.create.topics.enable": "false",
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    # After a kill -9 the new process may register only once the old one's session has run out.
    "broker.session.timeout.ms": "2000",
    "broker.heartbeat.interval.ms": "300",
    "num.network.threads": "2",
    "num.io.threads": "4",
}


def render(logs: pathlib.Path, port: int, controller_port: int, advertised: str | None) -> str:
    """The file's text; `advertised` (`host:port`) is what clients are told, when they shall come through a proxy."""
    listen = {
        "listeners": f"CLIENT://{LOOPBACK}:{port},CONTROLLER://{LOOPBACK}:{controller_port}",
        "advertised.listeners": f"CLIENT://{advertised or f'{LOOPBACK}:{port}'}",
        "controller.quorum.voters": f"{NODE}@{LOOPBACK}:{controller_port}",
        "log.dirs": str(logs),
    }
    return "".join(f"{key}={value}\n" for key, value in (FIXED | listen).items())
