"""Who a notification's `owner` is: the id of a key, a user of sendNotification, or whoever writes to the topic.

Scripts and jobs run with the owner's authority, so who wrote an owner down and who reads it must mean the same.
"""

TOPIC = "topic"
"""Whoever may write to the topic of requests; it speaks for its whole tenant."""

HEADER = "on-behalf-of"
"""Of a record on the topic of requests: the owner it speaks for instead. What a script asks for is its owner's."""

USER_PREFIX = "sendNotification:"
LONGEST = len(USER_PREFIX) + 255
"""In characters: the longest id of a user is written out."""


def of_user(user: str) -> str:
    """The owner that a user of the sendNotification dialect is."""
    return USER_PREFIX + user
