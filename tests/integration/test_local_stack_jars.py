"""How the broker's jars come into the cache: once, whole, or with a reason. Maven is a script here."""

import asyncio
import pathlib
import subprocess
import sys

import pytest

from deploy.local import errors, state
from deploy.local.kafka import jars
from deploy.local.kafka.archive import Archive

MAVEN = """#!/bin/sh
echo run >> "$(dirname "$0")/runs"
for argument in "$@"; do
  case "$argument" in -DoutputDirectory=*) folder="${argument#*=}" ;; esac
done
touch "$folder/scala.jar"
sleep 0.5
touch "$folder/kafka_2.13.jar"
"""
BROKEN = """#!/bin/sh
echo "[INFO] Scanning"
echo "[ERROR] Could not transfer artifact org.apache.kafka:kafka_2.13"
exit 1
"""
FETCH = "from deploy.local.kafka import jars; print(jars.fetched())"


def maven(folder: pathlib.Path, script: str, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """Put a Maven in front, and an empty cache; returns the script's folder."""
    programs = folder / "bin"
    programs.mkdir()
    (programs / "mvn").write_text(script)
    (programs / "mvn").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setenv("TOCSIN_CACHE", str(folder / "cache"))
    return programs


async def _fetched_by_another_process() -> pathlib.Path:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", FETCH, cwd=state.CHECKOUT, stdout=subprocess.PIPE
    )
    output, _ = await process.communicate()
    return pathlib.Path(output.decode().strip())


async def test_two_copies_that_start_at_once_fetch_the_jars_once(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = maven(tmp_path, MAVEN, monkeypatch)
    first, second = await asyncio.gather(_fetched_by_another_process(), _fetched_by_another_process())
    assert first == second
    assert sorted(path.name for path in first.iterdir()) == ["kafka_2.13.jar", "scala.jar"]
    assert (programs / "runs").read_text().split() == ["run"]
    assert jars.fetched() == first, "and what is there is not fetched again"
    assert (programs / "runs").read_text().split() == ["run"]


def test_a_failed_fetch_says_what_maven_said_and_leaves_nothing_half_done(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    maven(tmp_path, BROKEN, monkeypatch)
    with pytest.raises(errors.LocalStackError, match=r"reachable.*Could not transfer artifact"):
        jars.fetched()
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["kafka.lock"]


def test_a_missing_maven_is_named_with_what_to_do(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("TOCSIN_CACHE", str(tmp_path / "cache"))
    with pytest.raises(errors.LocalStackError, match="install it"):
        jars.fetched()


def test_a_broker_records_its_classes_once_and_later_ones_use_them(tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "kafka-1"
    recording = Archive(folder, "java 17")
    [flag] = [flag for flag in recording.flags() if flag.startswith("-XX:ArchiveClassesAtExit=")]
    written = pathlib.Path(flag.partition("=")[2])
    written.write_text("classes")

    killed = Archive(folder, "java 17")
    killed.flags()
    killed.discard()
    assert any(flag.startswith("-XX:ArchiveClassesAtExit=") for flag in Archive(folder, "java 17").flags())

    recording.keep()
    [using] = [flag for flag in Archive(folder, "java 17").flags() if flag.startswith("-XX:SharedArchiveFile=")]
    assert pathlib.Path(using.partition("=")[2]).read_text() == "classes"
    assert not written.exists()
    assert any(flag.startswith("-XX:ArchiveClassesAtExit=") for flag in Archive(folder, "java 21").flags())
