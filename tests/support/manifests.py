"""The manifests as kustomize renders them for a cluster."""

import functools
import os
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from deploy.k8s import check, toolchain

Resource = Mapping[str, Any]


@functools.cache
def rendered(target: str) -> list[Resource]:
    """Every resource of a folder below `deploy/k8s`; skips where kustomize is not built yet, but never in CI."""
    if not toolchain.built() and not os.environ.get("CI"):
        pytest.skip("kustomize is not built on this machine; `make check` builds it once")
    return [each for each in yaml.safe_load_all(check.render(target, toolchain.ensure())) if each]


def of_kind(resources: list[Resource], *kinds: str) -> dict[str, Resource]:
    """The resources of some kinds by name."""
    return {each["metadata"]["name"]: each for each in resources if each["kind"] in kinds}


def services(resources: list[Resource]) -> dict[str, Resource]:
    """The workloads that stay, by name."""
    return of_kind(resources, "Deployment", "StatefulSet")


def service(workload: Resource) -> str:
    """The service whose program a workload runs."""
    return str(workload["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/name"])


def container(workload: Resource) -> Resource:
    """The one container of a workload's pods."""
    (only,) = workload["spec"]["template"]["spec"]["containers"]
    return dict(only)
