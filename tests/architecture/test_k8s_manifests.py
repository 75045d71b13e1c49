"""What a cluster would be told, rendered by kustomize, against what the services are and need."""

from collections.abc import Iterator, Mapping

import pytest

from deploy.k8s import check
from shared.contract.importance import Lane
from tests.support.manifests import Resource, container, of_kind, rendered, service, services

HTTP_SERVICES = ("ingest", "inbox", "console")
SINKS = [f"{channel}.{lane}" for channel in ("push", "email") for lane in Lane]
WORKERS = [*(f"intake.{lane}" for lane in Lane), "fanout", "scripts"]
GRACE_SECONDS = {
    "ingest": 45,
    "inbox": 45,
    "console": 45,
    "digest": 90,
    "scheduler": 60,
    "retention": 60,
    **{f"dispatcher-{role.replace('.', '-')}": 60 for role in WORKERS},
    **{f"dispatcher-{role.replace('.', '-')}": 150 for role in SINKS},
}


@pytest.fixture(params=check.TARGETS)
def resources(request: pytest.FixtureRequest) -> list[Resource]:
    return rendered(request.param)


def pods(resources: list[Resource]) -> Iterator[tuple[str, Resource]]:
    """Every workload's name with the spec of its pods."""
    for name, workload in of_kind(resources, "Deployment", "StatefulSet", "Job").items():
        yield name, workload["spec"]["template"]["spec"]


def test_every_service_and_every_role_of_the_dispatcher_has_one_workload(resources: list[Resource]) -> None:
    assert services(resources).keys() == GRACE_SECONDS.keys()


def test_a_dispatcher_is_started_with_the_role_that_its_label_names(resources: list[Resource]) -> None:
    roles = set()
    for workload in services(resources).values():
        labels = workload["spec"]["template"]["metadata"]["labels"]
        if labels["app.kubernetes.io/name"] != "dispatcher":
            continue
        roles.add(labels["app.kubernetes.io/component"])
        environment = {each["name"]: each for each in container(workload)["env"]}
        assert container(workload)["command"][-2:] == ["--only", "$(ROLE)"]
        assert environment["ROLE"]["valueFrom"]["fieldRef"]["fieldPath"] == (
            "metadata.labels['app.kubernetes.io/component']"
        )
    assert roles == {*SINKS, *WORKERS}


def test_sinks_and_digest_are_stateful_sets_so_that_a_restarted_pod_keeps_its_slot(resources: list[Resource]) -> None:
    expected = {"digest", *(f"dispatcher-{role.replace('.', '-')}" for role in SINKS)}
    assert of_kind(resources, "StatefulSet").keys() == expected


def test_grace_is_as_long_as_the_service_may_need_to_end(resources: list[Resource]) -> None:
    graces = {
        name: workload["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
        for name, workload in services(resources).items()
    }
    assert graces == GRACE_SECONDS


def test_each_probe_asks_its_own_question_on_the_port_for_operations(resources: list[Resource]) -> None:
    for workload in services(resources).values():
        probes = {kind: container(workload)[kind]["httpGet"] for kind in ("livenessProbe", "readinessProbe")}
        assert probes["livenessProbe"] == {"path": "/livez", "port": "ops"}
        assert probes["readinessProbe"] == {"path": "/readyz", "port": "ops"}
        startup = container(workload)["startupProbe"]
        assert startup["httpGet"] == {"path": "/readyz", "port": "ops"}
        assert startup["periodSeconds"] * startup["failureThreshold"] >= 300
        assert {"name": "ops", "containerPort": 9090} in container(workload)["ports"]


def test_http_services_stay_five_seconds_after_they_left_the_list_of_endpoints(resources: list[Resource]) -> None:
    waiting = {
        name: container(workload)["lifecycle"]["preStop"]
        for name, workload in services(resources).items()
        if "lifecycle" in container(workload)
    }
    assert waiting == {name: {"sleep": {"seconds": 5}} for name in HTTP_SERVICES}


def test_http_roll_out_by_surge_and_consumers_by_one_rebalance_a_pod(resources: list[Resource]) -> None:
    for name, workload in of_kind(resources, "Deployment").items():
        expected = (1, 0) if name in HTTP_SERVICES else (0, 1)
        rolling = workload["spec"]["strategy"]["rollingUpdate"]
        assert (rolling["maxSurge"], rolling["maxUnavailable"]) == expected, name


def test_every_pod_meets_pod_security_restricted_and_our_own_rules(resources: list[Resource]) -> None:
    for name, spec in pods(resources):
        for each in spec["containers"]:
            assert each["securityContext"]["capabilities"] == {"drop": ["ALL"]}, name
            assert each["securityContext"]["allowPrivilegeEscalation"] is False, name
            assert each["securityContext"]["readOnlyRootFilesystem"] is True, name
            assert each["resources"]["limits"]["memory"] == each["resources"]["requests"]["memory"], name
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["runAsUser"] >= 10_000, name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert spec["automountServiceAccountToken"] is False, name


def test_the_namespace_refuses_pods_that_are_not_restricted(resources: list[Resource]) -> None:
    labels = of_kind(resources, "Namespace")["tocsin"]["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    assert labels["pod-security.kubernetes.io/warn"] == "restricted"


def test_every_service_has_an_account_and_a_secret_of_its_own(resources: list[Resource]) -> None:
    accounts = of_kind(resources, "ServiceAccount")
    for name, workload in of_kind(resources, "Deployment", "StatefulSet", "Job").items():
        spec = workload["spec"]["template"]["spec"]
        volumes = {each["name"]: each for each in spec["volumes"]}
        assert service(workload) in accounts, name
        assert spec["serviceAccountName"] == service(workload), name
        assert volumes["secrets"]["secret"]["secretName"] == service(workload), name


def test_no_selector_picks_the_pods_of_another_workload(resources: list[Resource]) -> None:
    labels = {name: each["spec"]["template"]["metadata"]["labels"] for name, each in services(resources).items()}
    for name, workload in services(resources).items():
        assert chosen(workload["spec"]["selector"]["matchLabels"], labels) == {name}
    for name, budget in of_kind(resources, "PodDisruptionBudget").items():
        assert chosen(budget["spec"]["selector"]["matchLabels"], labels) == {name}
    for name, each in of_kind(resources, "Service").items():
        assert chosen(each["spec"]["selector"], labels) == {name}


def chosen(selector: Mapping[str, str], labels: Mapping[str, Mapping[str, str]]) -> set[str]:
    return {name for name, have in labels.items() if selector.items() <= have.items()}


def test_every_workload_may_lose_one_pod_at_a_time_and_a_broken_pod_always(resources: list[Resource]) -> None:
    budgets = of_kind(resources, "PodDisruptionBudget")
    assert budgets.keys() == services(resources).keys()
    for budget in budgets.values():
        assert budget["spec"]["maxUnavailable"] == 1
        assert budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


def test_pods_of_a_workload_are_spread_over_zones_and_hosts(resources: list[Resource]) -> None:
    for name, workload in services(resources).items():
        spread = workload["spec"]["template"]["spec"]["topologySpreadConstraints"]
        assert [each["topologyKey"] for each in spread] == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
        for each in spread:
            assert each["matchLabelKeys"] == ["app.kubernetes.io/name", "app.kubernetes.io/component"], name


def test_only_the_urgent_lane_goes_before_the_others(resources: list[Resource]) -> None:
    before = {name for name, spec in pods(resources) if spec.get("priorityClassName") == "tocsin-urgent"}
    assert before == {f"dispatcher-{stage}-urgent" for stage in ("intake", "push", "email")}


def test_the_base_runs_two_of_everything_and_three_of_the_urgent_lane() -> None:
    resources = rendered(check.BASE)
    for name, workload in services(resources).items():
        assert workload["spec"]["replicas"] == (3 if name.endswith("-urgent") else 2), name


def test_the_dev_overlay_fits_one_node_and_one_broker() -> None:
    resources = rendered(check.DEV)
    assert {each["spec"]["replicas"] for each in services(resources).values()} == {1}
    for topic in of_kind(resources, "KafkaTopic").values():
        assert (topic["spec"]["replicas"], topic["spec"]["config"]["min.insync.replicas"]) == (1, 1)
