"""Structured logs: events with fields, JSON to stdout, never a body, an address or a token."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_REPEAT_SECONDS = 10.0
_REMEMBERED = 1_000
"""Messages of libraries that are told apart, by logger and unformatted text."""

_SECRET_FIELDS = frozenset({"authorization", "token", "key", "secret", "password", "address", "email", "body", "dsn"})


def _redacted(_logger: object, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The last guard: a field with a telling name never shows its value."""
    for field in _SECRET_FIELDS & event.keys():
        event[field] = "[redacted]"
    return event


class Repeats(logging.Filter):
    """Lets a library say the same thing once in ten seconds: aiokafka says forty times a second that a broker is away.

    The same is the same text before its arguments are filled in. Tracebacks always pass.
    """

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is said."""
        if record.exc_info:
            return True
        said = (record.name, str(record.msg))
        if record.created - self._said.get(said, -_REPEAT_SECONDS) < _REPEAT_SECONDS:
            return False
        if len(self._said) > _REMEMBERED:
            self._said.clear()
        self._said[said] = record.created
        return True


def configure(service: str, level: str, log_format: str) -> None:
    """Send structlog and the standard library's loggers to stdout, as JSON or for a terminal.

    Args:
        service: bound to every event as `service`.
        level: least severe level that is shown.
        log_format: `json`, `console`, or `auto` (console on a terminal).
    """
    as_console = log_format == "console" or (log_format == "auto" and sys.stdout.isatty())
    shared_processors: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _redacted,
    ]
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if as_console else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[*shared_processors, structlog.processors.format_exc_info, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            # A library's sentence is told from our events by the name of its logger.
            foreign_pre_chain=[
                structlog.stdlib.add_logger_name,
                *shared_processors,
                structlog.processors.format_exc_info,
            ],
        )
    )
    handler.addFilter(Repeats())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    structlog.contextvars.bind_contextvars(service=service)
