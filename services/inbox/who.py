"""Whose inbox a request is about: the recipient of the token it carries."""

from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from services.inbox.tokens import Recipient, Tokens
from shared.runtime.problems import ProblemError

_BEARER = HTTPBearer(auto_error=False, bearerFormat="JWT", scheme_name="recipientToken")


async def _recipient(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]
) -> Recipient:
    tokens: Tokens = request.app.state.tokens
    recipient = tokens.read(credentials.credentials) if credentials is not None else None
    if recipient is None:
        raise ProblemError(
            HTTPStatus.UNAUTHORIZED,
            "send a recipient's token that has not ended as `Authorization: Bearer …`; "
            "the tenant's server gets one from POST /v1/inbox/tokens",
        )
    return recipient


Who = Annotated[Recipient, Depends(_recipient)]
"""The recipient of the token behind a request."""
