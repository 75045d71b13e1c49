"""Holds the manifests against what a cluster would ask of them: `python -m deploy.k8s.check`."""

import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from typing import Any

import yaml

from deploy.k8s import schemas, toolchain

HERE = pathlib.Path(__file__).parent
BASE = "base"
DEV = "overlays/dev"
TARGETS = (BASE, DEV)

# What kube-score asks and we decided against, as its options with the reason; everything else it asks is held.
DECLINED = {
    "--ignore-container-cpu-limit": "a limit throttles a service while the node idles; requests share what is scarce",
    "--ignore-test=container-image-pull-policy": "a tag never moves, so Always only makes a registry's outage ours",
    "--ignore-test=deployment-has-host-podantiaffinity": "topology spread constraints say the same, over zones too",
    "--ignore-test=statefulset-has-host-podantiaffinity": "the same",
    "--ignore-test=pod-networkpolicy": "not every cluster enforces policies, so they will come as a component",
}
DECLINED_ON_ONE_NODE = {"--min-replicas-deployment=1": "one node has nowhere to put a second replica"}
DEMANDED = (
    "--enable-optional-test=container-memory-requests-equal-limits",
    "--enable-optional-test=container-ports-check",
    "--enable-optional-test=container-seccomp-profile",
    "--exit-one-on-warning",
)


def render(target: str, tools: pathlib.Path) -> str:
    """What `kubectl apply -k` would send for a folder below `deploy/k8s`, as YAML."""
    done = subprocess.run([tools / "kustomize", "build", HERE / target], check=True, capture_output=True, text=True)
    return done.stdout


def conforms(rendered: str, tools: pathlib.Path) -> bool:
    """Whether every object is valid under its strict schema; kubeconform prints what is not."""
    objects: list[dict[str, Any]] = [each for each in yaml.safe_load_all(rendered) if each]
    kinds = {(each["apiVersion"], each["kind"]) for each in objects}
    with tempfile.TemporaryDirectory() as folder:
        locations = schemas.write(pathlib.Path(folder), kinds)
        options = [option for each in locations for option in ("-schema-location", each)]
        command = [str(tools / "kubeconform"), "-strict", "-summary", *options, "-"]
        return subprocess.run(command, input=rendered, text=True, check=False).returncode == 0


def remarks(rendered: str, tools: pathlib.Path, declined: Iterable[str]) -> list[str]:
    """What kube-score has against the manifests, a line each; warnings count."""
    command = [str(tools / "kube-score"), "score", "--kubernetes-version=v1.36", "-o=ci", *DEMANDED, *declined, "-"]
    done = subprocess.run(command, input=rendered, text=True, capture_output=True, check=False)
    found = [line for line in done.stdout.splitlines() if not line.startswith(("[OK]", "[SKIPPED]"))]
    return found or ([done.stderr] if done.returncode else [])


def main() -> int:
    """The exit code: 0 when every target is sound, 1 otherwise. Without Go a line says so, and only CI fails."""
    try:
        tools = toolchain.ensure()
    except toolchain.MissingToolError as missing:
        print(f"manifests NOT checked: {missing}", file=sys.stderr)
        return 1 if os.environ.get("CI") else 0
    outcomes = [sound(target, tools) for target in TARGETS]
    return 0 if all(outcomes) else 1


def sound(target: str, tools: pathlib.Path) -> bool:
    """Whether neither checker has anything against a target; what they have is printed."""
    print(f"deploy/k8s/{target}", flush=True)
    rendered = render(target, tools)
    declined = {**DECLINED, **(DECLINED_ON_ONE_NODE if target == DEV else {})}
    found = remarks(rendered, tools, declined)
    print("\n".join(found) or "kube-score: no remark", flush=True)
    return conforms(rendered, tools) and not found


if __name__ == "__main__":
    sys.exit(main())
