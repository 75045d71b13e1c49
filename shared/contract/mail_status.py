"""What an enhanced mail status code says of a mailbox (RFC 3463). Pure."""

import re

# A bad address, or a mailbox that was disabled: none of them will ever take mail. Not the codes about the sender's
# own address (5.1.7, 5.1.8), a full mailbox or a refused content, which may be mended tomorrow, nor the unexplained.
_GONE = re.compile(r"5\.(?:1\.(?!7\b|8\b)[1-9]\d{0,2}|2\.1)\b")


def is_gone(status: str) -> bool:
    """Whether a text that begins with a status code, such as `5.1.1 no such user`, says so for good."""
    return _GONE.match(status.strip()) is not None
