"""Where a test run keeps its files: in memory where there is plenty of it, else where the system keeps such files."""

import os
import pathlib
import shutil
import tempfile

import psutil

MEMORY = pathlib.Path("/dev/shm")
NEEDED_BYTES = 6 * 1024**3


def settle() -> None:
    """Choose for this process and its children; a `TMPDIR` that is set stays.

    Each test has a database and topics of its own: some thousand files, made and removed again, which costs a disk's
    file system ten times the CPU.
    """
    if "TMPDIR" not in os.environ and _is_roomy():
        os.environ["TMPDIR"] = str(MEMORY)
        tempfile.tempdir = None


def _is_roomy() -> bool:
    return (
        os.access(MEMORY, os.W_OK)
        and shutil.disk_usage(MEMORY).free > NEEDED_BYTES
        and psutil.virtual_memory().available > 2 * NEEDED_BYTES
    )
