"""Which Java runs the broker."""

import os
import pathlib
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from deploy.local import errors

OLDEST = 17  # what the brokers of Kafka 4 need
INSTALL = f"install Java {OLDEST} or newer (Debian: `apt install openjdk-17-jre-headless maven`) or set JAVA_HOME"


def major_version(report: str) -> int | None:
    """The major version in what `java -version` prints, or None: `"1.8.0_452"` → 8, `"17.0.15"` → 17."""
    match = re.search(r'version "(?:1\.)?(\d+)', report)
    return int(match.group(1)) if match else None


@dataclass(frozen=True)
class Java:
    """A Java: its program, and what it says its version is."""

    program: str
    report: str


def find(environment: Mapping[str, str] = os.environ) -> Java:
    """A Java that is new enough: `JAVA_HOME`'s, else the one on `PATH`.

    Raises:
        LocalStackError: there is none, or it is too old.
    """
    home = environment.get("JAVA_HOME")
    java = str(pathlib.Path(home) / "bin" / "java") if home else shutil.which("java")
    if java is None or not pathlib.Path(java).exists():
        raise errors.LocalStackError(f"Java not found{f' in JAVA_HOME={home}' if home else ''}: {INSTALL}")
    report = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    major = major_version(report)
    if major is None or major < OLDEST:
        raise errors.LocalStackError(f"{java} is Java {major or 'of unknown version'}, too old: {INSTALL}")
    return Java(java, report)
