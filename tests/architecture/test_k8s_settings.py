"""What the manifests tell a service is what its settings class takes, whole and valid."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic_settings import BaseSettings

from deploy.k8s import check, configmaps, generate
from tests.support import manifests

ENV = "TOCSIN_"


def env_file(service: str) -> Path:
    return generate.BASE / "settings" / f"{service}.env"


def told(service: str) -> dict[str, str]:
    lines = [line for line in env_file(service).read_text().splitlines() if not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def read_by(service: str, folder: Path, monkeypatch: pytest.MonkeyPatch, extra: Mapping[str, str]) -> BaseSettings:
    """The settings as a pod of the service would read them, with every file of its Secret mounted in `folder`."""
    for name in [name for name in os.environ if name.startswith(ENV)]:
        monkeypatch.delenv(name)
    for name, value in {**told(service), **extra}.items():
        monkeypatch.setenv(name, value)
    for name in configmaps.secret_files(service):
        (folder / name).write_text("made-up\n")
    return configmaps.settings_class(service)(_secrets_dir=folder)


@pytest.mark.parametrize("service", configmaps.SERVICES)
def test_the_committed_settings_are_what_the_class_says_now(service: str) -> None:
    assert env_file(service).read_text() == configmaps.env_file(service), "run `make generate`"


@pytest.mark.parametrize("service", configmaps.SERVICES)
def test_every_setting_but_secrets_is_in_the_configmap_and_nothing_else(service: str) -> None:
    fields = configmaps.settings_class(service).model_fields
    secret = {name for name, field in fields.items() if configmaps.is_secret(field)}
    expected = {ENV + name.upper() for name in fields.keys() - secret - configmaps.PER_POD}
    off = set(re.findall(r"^# (\w+) is not set\.$", env_file(service).read_text(), re.MULTILINE))
    assert told(service).keys() | off == expected
    assert off == {ENV + name.upper() for name, field in fields.items() if field.default is None}


@pytest.mark.parametrize("service", configmaps.SERVICES)
def test_a_pod_can_read_its_settings_from_its_configmap_and_secret(
    service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = read_by(service, tmp_path, monkeypatch, {}).model_dump()
    assert read["postgres_dsn"].get_secret_value() == "made-up"
    assert (read["ops_host"], read["ops_port"]) == ("0.0.0.0", 9090)
    assert read["log_format"] == "json"
    for name, field in configmaps.settings_class(service).model_fields.items():
        if name not in {*configmaps.CLUSTER, *configmaps.SERVICE[service]} and not field.is_required():
            assert read[name] == field.default, name


def test_services_that_share_a_setting_are_told_the_same_unless_it_is_their_own_affair() -> None:
    """A lease that the sink believes longer than the scheduler does would be ended under it."""
    own = {"TOCSIN_DRAIN_SECONDS", "TOCSIN_POSTGRES_POOL_SIZE"}
    values: dict[str, set[str]] = {}
    for service in configmaps.SERVICES:
        for name, value in told(service).items():
            values.setdefault(name, set()).add(value)
    assert {name: differing for name, differing in values.items() if len(differing) > 1 and name not in own} == {}


def test_services_that_share_a_setting_have_the_same_default_for_it() -> None:
    defaults: dict[str, set[str]] = {}
    for service in configmaps.SERVICES:
        for name, field in configmaps.settings_class(service).model_fields.items():
            defaults.setdefault(name, set()).add(str(field.default))
    assert {name: differing for name, differing in defaults.items() if len(differing) > 1} == {}


def test_every_service_has_a_configmap_that_all_its_pods_read() -> None:
    resources = manifests.rendered(check.BASE)
    maps = {name: each["data"] for name, each in manifests.of_kind(resources, "ConfigMap").items()}
    read = set()
    for workload in manifests.services(resources).values():
        (source,) = manifests.container(workload)["envFrom"]
        assert maps[source["configMapRef"]["name"]] == told(manifests.service(workload))
        read.add(source["configMapRef"]["name"])
    assert read == maps.keys()
    assert len(maps) == len(configmaps.SERVICES)


def test_a_setting_without_default_or_value_stops_the_generator_with_what_to_do() -> None:
    field = configmaps.settings_class("dispatcher").model_fields["kafka_bootstrap"]
    with pytest.raises(configmaps.MissingValueError, match=r"`unheard_of`.*deploy/k8s/configmaps\.py"):
        configmaps.value("dispatcher", "unheard_of", field)


@pytest.mark.parametrize("target", check.TARGETS)
def test_grace_is_longer_than_what_comes_before_the_kill(
    target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Grace counts from the preStop hook on; the drain begins after it, and closing takes a few seconds more."""
    for name, workload in manifests.services(manifests.rendered(target)).items():
        only = manifests.container(workload)
        read = read_by(manifests.service(workload), tmp_path, monkeypatch, literals(only)).model_dump()
        before = only.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        grace = workload["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
        assert grace >= before + read["drain_seconds"] + 10, name


def literals(container: Mapping[str, Any]) -> dict[str, str]:
    return {each["name"]: each["value"] for each in container["env"] if "value" in each}


@pytest.mark.parametrize("service", configmaps.SERVICES)
def test_the_readme_names_the_files_of_each_secret(service: str) -> None:
    readme = (generate.BASE.parent / "README.md").read_text()
    (row,) = [line for line in readme.splitlines() if line.startswith(f"| `{service}` |")]
    assert set(re.findall(r"`([^`]+)`", row)) == {service, *configmaps.secret_files(service)}
