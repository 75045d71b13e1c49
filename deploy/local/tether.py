"""Run a program that ends when its starter ends: `python -I tether.py STARTER_PID SIGNAL USER PROGRAM ARGS…`.

A program of its own rather than code between fork and exec, because that code may deadlock in a starter with threads.
Standard library only, run by path, so that it costs one bare interpreter start. USER is `-` to stay who one is.
"""

import ctypes
import os
import pwd
import sys

PR_SET_PDEATHSIG = 1


def _become(user: str) -> None:
    account = pwd.getpwnam(user)
    os.setgroups([])
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)


def _tie_to(starter_pid: int, death_signal: int) -> None:
    if sys.platform != "linux":
        return  # only Linux can do this; elsewhere the next start cleans up by the pid ledger
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    if os.getppid() != starter_pid:
        sys.exit(1)  # the starter ended before the tie was made


def main(arguments: list[str]) -> None:
    """Become USER, tie this process to its starter, and turn into PROGRAM."""
    starter_pid, death_signal, user, program, *rest = arguments
    if user != "-":
        _become(user)
    # After the switch: a change of credentials clears the tie.
    _tie_to(int(starter_pid), int(death_signal))
    os.execv(program, [program, *rest])  # noqa: S606 - replacing this process is the purpose


if __name__ == "__main__":
    main(sys.argv[1:])
