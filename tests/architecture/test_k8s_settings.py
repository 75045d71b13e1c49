"""What the manifests tell a service is what its settings class takes, whole and valid."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic_settings import BaseSettings

from deploy.k8s import check, configmaps, generate, toolchain

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
    assert told(service).keys() == expected


@pytest.mark.parametrize("service", configmaps.SERVICES)
def test_a_pod_can_read_its_settings_from_its_configmap_and_secret(
    service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = read_by(service, tmp_path, monkeypatch, {}).model_dump()
    assert read["postgres_dsn"].get_secret_value() == "made-up"
    assert (read["ops_host"], read["ops_port"]) == ("0.0.0.0", 9090)
    assert read["log_format"] == "json"


def test_a_setting_without_default_or_value_stops_the_generator_with_what_to_do() -> None:
    field = configmaps.settings_class("dispatcher").model_fields["kafka_bootstrap"]
    with pytest.raises(configmaps.MissingValueError, match=r"`unheard_of`.*deploy/k8s/configmaps\.py"):
        configmaps.value("dispatcher", "unheard_of", field)


@pytest.mark.parametrize("target", check.TARGETS)
def test_grace_is_longer_than_what_comes_before_the_kill(
    target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Grace counts from the preStop hook on; the drain begins after it, and closing takes a few seconds more."""
    if not toolchain.built() and not os.environ.get("CI"):
        pytest.skip("kustomize is not built on this machine; `make check` builds it once")
    for resource in yaml.safe_load_all(check.render(target, toolchain.ensure())):
        if resource["kind"] not in {"Deployment", "StatefulSet"}:
            continue
        labels = resource["spec"]["template"]["metadata"]["labels"]
        service, spec = labels["app.kubernetes.io/name"], resource["spec"]["template"]["spec"]
        if service in configmaps.SERVICES:
            (only,) = spec["containers"]
            drain = read_by(service, tmp_path, monkeypatch, literals(only)).model_dump()["drain_seconds"]
            before = only.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
            assert spec["terminationGracePeriodSeconds"] >= before + drain + 10, resource["metadata"]["name"]


def literals(container: Mapping[str, Any]) -> dict[str, str]:
    return {each["name"]: each["value"] for each in container["env"] if "value" in each}


@pytest.mark.parametrize("service", configmaps.SERVICES)
def test_the_readme_names_the_files_of_each_secret(service: str) -> None:
    readme = (generate.BASE.parent / "README.md").read_text()
    files = ", ".join(f"`{name}`" for name in sorted(configmaps.secret_files(service), reverse=True))
    assert f"| `{service}` | {files} |" in readme
