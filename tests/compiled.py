"""
Statements compiled once a test run, not once a test.

Every test has engines of its own, and an engine's statements are compiled anew: several times the
work of running them. So all connections of the run keep them in one place.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, Engine, event
from sqlalchemy.util import LRUCache

_STATEMENTS_MAX: Final = 4_000


class _Shared(LRUCache[Any, Any]):
    """By kind of dialect, where SQLAlchemy's own key names the engine's instance of it."""

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get(_of_kind(key), default)

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(_of_kind(key), value)


def _of_kind(key: Any) -> tuple[object, ...]:
    dialect, *rest = key
    return (type(dialect), dialect.paramstyle, dialect.server_version_info, *rest)


def share_compiled_statements() -> None:
    """From now on, in this process."""
    shared = _Shared(_STATEMENTS_MAX)

    def use(connection: Connection) -> None:
        connection.execution_options(compiled_cache=shared)

    event.listen(Engine, "engine_connect", use)
