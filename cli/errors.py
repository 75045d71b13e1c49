"""How commands fail: what is wrong, what to do about it, and an exit code that scripts can tell apart."""

from enum import IntEnum

from shared.client import RefusedError, UnavailableError
from shared.errors import TransientError


class ExitCode(IntEnum):
    """What a command's exit means; 2 is the parser's, for a command line it does not understand."""

    DONE = 0
    REFUSED = 1
    UNAVAILABLE = 3
    MISSING = 4


class CommandError(Exception):
    """A command cannot do what was asked."""

    def __init__(self, message: str, next_step: str = "", code: ExitCode = ExitCode.REFUSED) -> None:
        super().__init__(message)
        self.next_step = next_step
        self.code = code


_UNAUTHORIZED, _FORBIDDEN = 401, 403


def told(error: Exception) -> CommandError:
    """What an error of the SDK or of an adapter means to who typed the command."""
    if isinstance(error, RefusedError):
        return CommandError(str(error), _next_step(error), ExitCode.MISSING if error.is_missing else ExitCode.REFUSED)
    if isinstance(error, UnavailableError):
        return CommandError(
            str(error), "Is Tocsin running? `tocsin up` starts it. Then try again; whether it was done is not known.",
            ExitCode.UNAVAILABLE,
        )  # fmt: skip
    if isinstance(error, TransientError):
        return CommandError(str(error), "Try again once it answers.", ExitCode.UNAVAILABLE)
    return CommandError(str(error))


def _next_step(error: RefusedError) -> str:
    if error.status == _UNAUTHORIZED:
        return "Give a valid key with --key or TOCSIN_API_KEY; `tocsin tenants create` makes a tenant's first one."
    if error.status == _FORBIDDEN:
        return "This key lacks the scope; `tocsin keys create` with an admin key makes one that has it."
    if error.is_missing:
        return "Check the id; what belongs to another tenant, or has expired, looks the same as what never was."
    return ""
