"""How the embedded stack's parts are told where the others are."""

import json
import pathlib

import pytest

from deploy.local import endpoints, errors, options, state, wiring
from deploy.local.catalogue import SERVICES, Service
from deploy.local.options import UpOptions

SOCKET_DSN = "postgresql://tocsin@/tocsin?host=/state/socket"


def wired(folder: pathlib.Path) -> wiring.Wiring:
    return wiring.Wiring(
        state=state.State(folder),
        kafka="127.0.0.1:9092",
        postgres=SOCKET_DSN,
        postgres_brought=False,
        http_ports={"ingest": 8001, "mailbox": 8002},
        ops_ports={"ingest": 9001, "scheduler": 9002},
        smtp_port=2525,
        settings={"TOCSIN_LEASE_SECONDS": "8"},
    )


def test_each_service_logs_in_as_its_own_role() -> None:
    assert wiring.login(SOCKET_DSN, "tocsin_ingest") == SOCKET_DSN.replace("tocsin@", "tocsin_ingest@")


def test_in_a_database_that_was_brought_along_the_owner_acts_as_each_role() -> None:
    owner = "postgresql://me:hunter2@db.example:5433/tocsin?sslmode=require"
    assert wiring.acting(owner, "tocsin_digest") == f"{owner}&role=tocsin_digest"
    assert wiring.acting("postgresql://me@db.example/tocsin", "tocsin_digest").endswith("/tocsin?role=tocsin_digest")


def test_a_service_keeps_its_name_after_a_restart_and_another_folder_gives_another(tmp_path: pathlib.Path) -> None:
    service = Service("dispatcher")
    assert wiring.instance(service, tmp_path) == wiring.instance(service, tmp_path)
    assert wiring.instance(service, tmp_path) != wiring.instance(service, tmp_path / "other")


def test_a_services_environment_is_wired_whatever_was_inherited(tmp_path: pathlib.Path) -> None:
    inherited = {"PATH": "/bin", "TOCSIN_KAFKA_BOOTSTRAP": "elsewhere:1", "TOCSIN_ALLOWED_PRIVATE_HOSTS": "10.0.0.1"}
    (tmp_path / "secrets").mkdir()
    found = wiring.environment(Service("ingest", serves_http=True), wired(tmp_path), inherited)
    assert found["PATH"] == "/bin"
    assert found["TOCSIN_KAFKA_BOOTSTRAP"] == "127.0.0.1:9092"
    assert found["TOCSIN_POSTGRES_DSN"].startswith("postgresql://tocsin_ingest@")
    assert (found["TOCSIN_HTTP_PORT"], found["TOCSIN_OPS_PORT"], found["TOCSIN_SMTP_PORT"]) == ("8001", "9001", "2525")
    assert found["TOCSIN_LEASE_SECONDS"] == "8"
    assert found["TOCSIN_ALLOWED_PRIVATE_HOSTS"] == "10.0.0.1"


def test_secrets_are_made_once_and_readable_by_their_owner_only(tmp_path: pathlib.Path) -> None:
    held = state.State(tmp_path)
    first = held.secret_file(state.API_KEYS).read_text()
    assert held.secret_file(state.API_KEYS).read_text() == first
    assert held.secret_file(state.INBOX_TOKENS).read_text() != first
    assert len(bytes.fromhex(first)) == state.SECRET_BYTES
    assert held.secret_file(state.API_KEYS).stat().st_mode & 0o777 == 0o600


def test_the_document_has_the_keys_of_the_contract_and_null_for_what_does_not_run(tmp_path: pathlib.Path) -> None:
    document = endpoints.document(wired(tmp_path), {"kafka": 11, "ingest": 12}, {"tenant": "demo"})
    assert json.loads(json.dumps(document)) == {
        "ingest": "http://127.0.0.1:8001",
        "inbox": None,
        "console": None,
        "mailbox": "http://127.0.0.1:8002",
        "smtp": "127.0.0.1:2525",
        "kafka": "127.0.0.1:9092",
        "postgres": SOCKET_DSN,
        "metrics": {"ingest": "http://127.0.0.1:9001/metrics", "scheduler": "http://127.0.0.1:9002/metrics"},
        "pids": {"kafka": 11, "ingest": 12},
        "demo": {"tenant": "demo"},
    }


def test_doors_start_last_and_so_stop_first() -> None:
    assert [service.serves_http for service in SERVICES] == sorted(service.serves_http for service in SERVICES)
    assert options.chosen_services(UpOptions(services=("ingest", "retention"))) == ["retention", "ingest"]


def test_an_unknown_service_is_named_with_those_there_are() -> None:
    with pytest.raises(errors.LocalStackError, match=r"no such service: ingress; choose from .*ingest"):
        options.chosen_services(UpOptions(services=("ingress",)))


def test_a_port_that_is_none_is_refused() -> None:
    with pytest.raises(errors.LocalStackError, match="give a number from 1 to 65535"):
        options.fixed_port(UpOptions(), "smtp", {"TOCSIN_PORT_SMTP": "70000"})
    with pytest.raises(errors.LocalStackError, match="no such port: ingress"):
        options.fixed_port(UpOptions(ports={"ingress": 1}), "ingest", {})


def test_the_state_folder_is_the_given_one_else_the_environments_else_in_the_checkout(tmp_path: pathlib.Path) -> None:
    assert state.locate(tmp_path, {"TOCSIN_STATE": "/elsewhere"}) == tmp_path
    assert state.locate(None, {"TOCSIN_STATE": "/elsewhere"}) == pathlib.Path("/elsewhere")
    assert state.locate(None, {}) == state.CHECKOUT / ".tocsin"


def test_a_service_gets_more_time_to_end_than_it_is_told_to_drain_in() -> None:
    assert options.grace_seconds(UpOptions(), {}) == 25.0
    assert options.grace_seconds(UpOptions(), {"TOCSIN_DRAIN_SECONDS": "60"}) == 65.0
    assert options.grace_seconds(UpOptions(settings={"TOCSIN_DRAIN_SECONDS": "90"}), {}) == 95.0
