"""
Logs: JSON lines on standard error, from an allow-list of fields (D22).

A field that is not on the list does not leave the process, whoever logs it; text is cut to its
printable ASCII. Exceptions are logged by type and code, never by message or traceback: these quote
what was sent.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Final

import msgspec
import structlog

__all__ = ["FIELDS", "configure", "log"]

#: Whatever may appear in a log line. All are ours: codes, counts, route templates, type names.
FIELDS: Final = frozenset(
    {
        "acts",
        "at",
        "batch",
        "code",
        "correlation_id",
        "count",
        "duration_ms",
        "engine",
        "error",
        "error_code",
        "event",
        "government",
        "level",
        "logger",
        "method",
        "path",
        "payment",
        "pid",
        "port",
        "route",
        "seconds",
        "size",
        "status",
        "version",
        "workers",
    }
)
_SAFE: Final = re.compile(r"[^\x20-\x7e]")
_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}

EventDict = MutableMapping[str, Any]


def only_allowed(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Drop every field that is not on the list; keep numbers, and text as short printable ASCII."""
    kept: EventDict = {}
    for name, value in event.items():
        if name not in FIELDS:
            continue
        if isinstance(value, str):
            kept[name] = value if value.isascii() and value.isprintable() else _cleaned(value)
            if len(value) > 200:
                kept[name] = kept[name][:200]
        elif value is None or isinstance(value, bool | int | float):
            kept[name] = value
        else:
            kept[name] = type(value).__name__
    return kept


def _cleaned(text: str) -> str:
    return _SAFE.sub("?", text)


_encode = msgspec.json.Encoder().encode


def _render(_logger: object, _method: str, event: EventDict) -> bytes:
    return _encode(event)


class _Lines:
    """Writes lines to standard error. A log that can't be written stops nothing."""

    def msg(self, message: bytes) -> None:
        """Write one line."""
        try:
            sys.stderr.buffer.write(message + b"\n")
            sys.stderr.buffer.flush()
        except (OSError, ValueError, AttributeError):
            return  # closed, or a full disk: acts go on, their truth is not in here

    log = debug = info = warning = error = critical = msg


#: `log.info("noun.verb_past", field=...)`; configured before anything is logged.
log: Final = structlog.stdlib.get_logger("rkud")


def configure(level: str = "info", *, once: bool = True) -> None:
    """
    Set up our own logging and tame that of the libraries.

    *once*: loggers keep what they were first given, which is cheaper; tests set it up again.
    """
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            only_allowed,
            _render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=lambda *_: _Lines(),
        cache_logger_on_first_use=once,
    )
    root = logging.getLogger()
    root.handlers[:] = [_Plain()]
    root.setLevel(max(_LEVELS[level], logging.INFO))
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "alembic", "sqlalchemy"):
        logger = logging.getLogger(name)
        logger.handlers[:] = []
        logger.propagate = True
    logging.getLogger("uvicorn.access").disabled = True
    logging.getLogger("alembic").setLevel(logging.WARNING)


class _Plain(logging.Handler):
    """A library's record as a JSON line: its template without its arguments."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        event: EventDict = {
            "event": str(record.msg),
            "logger": record.name,
            "level": record.levelname.lower(),
        }
        if record.exc_info and record.exc_info[0] is not None:
            event["error"] = record.exc_info[0].__name__
        _Lines().msg(_encode(only_allowed(None, "", event)))
