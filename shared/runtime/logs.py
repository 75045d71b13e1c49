"""Structured logs: events with fields, JSON to stdout, never a body, an address or a token."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_SECRET_FIELDS = frozenset({"authorization", "token", "key", "secret", "password", "address", "email", "body", "dsn"})


def _redacted(_logger: object, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The last guard: a field with a telling name never shows its value."""
    for field in _SECRET_FIELDS & event.keys():
        event[field] = "[redacted]"
    return event


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
            foreign_pre_chain=[*shared_processors, structlog.processors.format_exc_info],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    structlog.contextvars.bind_contextvars(service=service)
