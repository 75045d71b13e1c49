"""What a machine caller must present: a FastAPI dependency that gives the API key behind a request, or refuses."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, FastAPI, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from shared.access import Scope, StoredKey
from shared.runtime.problems import ProblemError

FindKey = Callable[[str], Awaitable[StoredKey | None]]
"""The key that a presented text opens, or None."""

_BEARER = HTTPBearer(auto_error=False, bearerFormat="tk_…", scheme_name="apiKey")


def install(app: FastAPI, find: FindKey) -> None:
    """Say how an application finds the key that a caller presents."""
    app.state.find_key = find


def requires(scope: Scope) -> Callable[..., Awaitable[StoredKey]]:
    """A dependency that gives the caller's key.

    It raises ProblemError: 401 without a key that is valid now, 403 when the key lacks `scope`.
    """
    return _requires(scope, lambda key: key.allows(scope))


def _requires(scopes: str, allowed: Callable[[StoredKey], bool]) -> Callable[..., Awaitable[StoredKey]]:

    async def authorised(
        request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]
    ) -> StoredKey:
        if credentials is None:
            raise ProblemError(HTTPStatus.UNAUTHORIZED, "send an API key as `Authorization: Bearer tk_…`")
        find: FindKey = request.app.state.find_key
        key = await find(credentials.credentials)
        if key is None:
            raise ProblemError(
                HTTPStatus.UNAUTHORIZED, "this API key is unknown, has expired or was revoked; make or rotate one"
            )
        if not allowed(key):
            raise ProblemError(HTTPStatus.FORBIDDEN, f"this API key lacks the scope {scopes}")
        return key

    return authorised


AdminKey = Annotated[StoredKey, Depends(requires(Scope.ADMIN))]
DirectoryKey = Annotated[StoredKey, Depends(requires(Scope.DIRECTORY))]
TraceKey = Annotated[StoredKey, Depends(requires(Scope.TRACE))]
PublishKey = Annotated[StoredKey, Depends(_requires("publish or publish:<class>", StoredKey.may_publish))]
MailKey = Annotated[StoredKey, Depends(requires(Scope.MAIL))]
RedriveKey = Annotated[StoredKey, Depends(requires(Scope.REDRIVE))]
"""The key behind a request, with the scope in the name."""
