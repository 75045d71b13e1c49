"""A script whose package does not come to an end when it is imported."""

import threading

threading.Event().wait(5)


def hanging(_: object) -> None:
    """Never called in time."""
