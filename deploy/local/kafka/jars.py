"""The broker's jars, fetched by Maven once per content of `pom.xml`."""

import fcntl
import hashlib
import pathlib
import shutil
import subprocess
import tempfile

from deploy.local import cache, errors

POM = pathlib.Path(__file__).with_name("pom.xml")
FETCH_SECONDS = 600


def fetched() -> pathlib.Path:
    """The folder with the jars; fetched first if this is the first use. Blocks while another copy fetches.

    Raises:
        LocalStackError: Maven is missing or could not fetch.
    """
    home = cache.folder()
    final = home / f"kafka-{hashlib.sha256(POM.read_bytes()).hexdigest()[:16]}"
    if final.is_dir():
        return final
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise errors.LocalStackError(f"cannot write {home} ({error.strerror}): set TOCSIN_CACHE to a folder") from error
    # Maven's own repository does not bear two writers, hence a lock and not only the rename.
    with (home / "kafka.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not final.is_dir():
            _fetch(final)
    return final


def _fetch(final: pathlib.Path) -> None:
    scratch = pathlib.Path(tempfile.mkdtemp(prefix=f"{final.name}.", dir=final.parent))
    try:
        _copy_dependencies(scratch)
        scratch.rename(final)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _copy_dependencies(folder: pathlib.Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise errors.LocalStackError("Maven (mvn) not found, it fetches Kafka's jars: install it (`apt install maven`)")
    goal = ["dependency:copy-dependencies", f"-DoutputDirectory={folder}", "-DincludeScope=runtime"]
    command = [maven, "--batch-mode", "--quiet", "-Dstyle.color=never", "--file", str(POM), *goal]
    try:
        run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=FETCH_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise errors.LocalStackError(f"Maven did not fetch Kafka's jars within {FETCH_SECONDS} s: try again") from error
    if run.returncode != 0 or not any(folder.glob("kafka_*.jar")):
        first = next(
            (line for line in run.stdout.splitlines() if "ERROR" in line), run.stderr.strip() or "no reason given"
        )
        raise errors.LocalStackError(f"Maven could not fetch Kafka's jars (is its repository reachable?): {first}")
