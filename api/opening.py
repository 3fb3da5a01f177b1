"""
Make a book: directory, keys, schema, the first leaves and the first checkpoint.

The key comes before the book: a book without one could never be sealed, while a key without a book
is found again by the next try.
"""

from __future__ import annotations

import os
from pathlib import Path

from api.checkpoints import make_signer, seal_book
from api.clock import Clock, local_day, system_clock
from api.data_dir import DATABASE, check_data_dir, create_data_dir
from api.engine import begin, make_engine
from api.errors import DataDirMissingError
from api.migrations_runner import current, head, upgrade
from api.settings import Settings
from audit.checkpoints import Sealed
from ledger.opening import BookExistsError, NewBook, check_new_book, open_book

__all__ = ["make_book", "make_keys"]


def make_book(settings: Settings, book: NewBook, *, clock: Clock = system_clock) -> Sealed:
    """
    Open the book of one government where none is, and seal its first leaves.

    Raises:
        InvalidFieldError, BookExistsError, UnsafeDataDirError, UnsafeKeyFileError
    """
    check_new_book(book)
    create_data_dir(settings.data_dir)
    create_data_dir(settings.keys())
    _make_schema(settings)
    engine = make_engine(settings.url())
    try:
        make_keys(settings.keys(), book.government, book.origin)
        now = clock()
        with begin(engine) as conn:
            open_book(conn, book, now=now, today=local_day(now, book.zone))
        check_data_dir(settings)
        return seal_book(engine, settings.keys(), book.government, now=now)
    finally:
        engine.dispose()


def make_keys(keys: Path, government: str, origin: str) -> None:
    """
    A log key and a signer that has signed nothing, or those of a try that ended before its book.

    Raises:
        BookExistsError: They have signed for another book, or another origin.
    """
    signer = make_signer(keys, government, origin, 1)
    if signer.origin != origin or signer.last().size:
        raise BookExistsError(government=government)


def _make_schema(settings: Settings) -> None:
    if settings.is_sqlite():
        if settings.database_url is None:
            path = settings.data_dir / DATABASE
            if not path.exists():
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        if current(settings.url()) is None:
            upgrade(settings.url())
        return
    if settings.owner_url is not None:
        upgrade(settings.owner_url.get_secret_value())
    if current(settings.url()) != head():
        raise DataDirMissingError(path="the database of RKUD_DATABASE_URL")
