"""The pinned manifest tools (kustomize, kubeconform, kube-score), built from source once for every checkout."""

import hashlib
import os
import pathlib
import shutil
import subprocess
import tempfile

from deploy.local import cache

MODULE = pathlib.Path(__file__).parent / "tools"


class MissingToolError(Exception):
    """This machine cannot build the tools; the message says what to install."""


def folder() -> pathlib.Path:
    """Where the tools of exactly these `go.mod` and `go.sum` are, or will be, kept."""
    digest = hashlib.sha256()
    for name in ("go.mod", "go.sum"):
        digest.update((MODULE / name).read_bytes())
    return cache.folder() / f"k8s-tools-{digest.hexdigest()[:16]}"


def built() -> bool:
    """Whether the tools are there already, so that using them needs neither Go nor a network."""
    return folder().is_dir()


def ensure() -> pathlib.Path:
    """The folder with the three tools; builds them when they are not there yet (about a minute on two cores).

    Raises `MissingToolError` without Go, and `subprocess.CalledProcessError` when the build fails.
    """
    target = folder()
    if target.is_dir():
        return target
    go = shutil.which("go")
    if go is None:
        raise MissingToolError(
            "`go` is not on the PATH; install Go 1.26 or newer, the manifest tools are built from source"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="building-") as scratch:
        _build(go, pathlib.Path(scratch))
        _publish(pathlib.Path(scratch), target)
    return target


def _build(go: str, scratch: pathlib.Path) -> None:
    # Local: a newer toolchain is not to be had everywhere, and go.sum already fixes what is built.
    environment = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly -buildvcs=false", "CGO_ENABLED": "0"}
    binaries = scratch / "bin"
    binaries.mkdir()
    command = [go, "build", "-trimpath", "-ldflags", "-s -w", "-o", f"{binaries}/", "tool"]
    subprocess.run(command, cwd=MODULE, env=environment, check=True)


def _publish(scratch: pathlib.Path, target: pathlib.Path) -> None:
    """Moves the finished tools into place at once; of two that build at the same time the first stays."""
    try:
        (scratch / "bin").rename(target)
    except OSError:
        if not target.is_dir():
            raise
