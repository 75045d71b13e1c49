"""What goes wrong while the embedded stack starts, said so that the reader knows what to do next."""


class LocalStackError(Exception):
    """A part of the embedded stack cannot run here; the message says why and what to do."""
