"""
Make a book: directory, keys, schema, the first leaves and the first checkpoint. All of it or nothing.

Whatever can be known to be wrong is refused before anything is made; what fails later takes away
just what it had made. The key comes before the book: a book without one could never be sealed,
while a key without a book, left by a process that was killed, is found again by the next try.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import make_url

from api.checkpoints import log_key_path, make_signer, seal_book, signer_state_path
from api.clock import Clock, local_day, system_clock
from api.data_dir import DATABASE, check_data_dir, create_data_dir
from api.engine import begin, make_engine
from api.errors import ApiError
from api.migrations_runner import current, head, upgrade
from api.serving import SchemaOutOfDateError
from api.settings import Settings
from audit.checkpoints import Sealed
from ledger.opening import BookExistsError, NewBook, check_new_book, check_opening, open_book

__all__ = ["BookUnsealedError", "InitRunningError", "make_book", "make_keys"]


class InitRunningError(ApiError):
    """One book at a time is made in a key directory."""

    def __init__(self, *, path: str) -> None:
        super().__init__(f"another rkud init works in {path}", path=path)


class BookUnsealedError(ApiError):
    """The book was made and stands; only its first checkpoint could not be signed."""

    def __init__(self, *, government: str, reason: str) -> None:
        super().__init__(
            f"the book of government {government} is made, but its first checkpoint could not be"
            f" signed: {reason}; mend that and run rkud audit checkpoint",
            government=government,
            reason=reason,
        )


def make_book(settings: Settings, book: NewBook, *, clock: Clock = system_clock) -> Sealed:
    """
    Open the book of one government where none is, and seal its first leaves.

    When it fails, files and directories that it made are gone again, and nothing that was there
    before is touched. A schema that it put into a PostgreSQL database stays, as `rkud db upgrade`
    leaves it.

    Raises:
        InvalidFieldError, FutureEffectiveDateError, FiscalYearNotOpenError, BookExistsError,
        SchemaOutOfDateError, UnsafeDataDirError, UnsafeKeyFileError, InitRunningError: Nothing
        was made.
        BookUnsealedError: The book stands.
    """
    now = clock()
    check_new_book(book)
    today = local_day(now, book.zone)
    check_opening(book, today)
    if not settings.is_sqlite():
        _check_server(settings)
    keys = settings.keys()
    with _taken_back() as folders:
        for each in (settings.data_dir, keys):
            folders.extend(_missing(reversed([each, *each.parents])))
            create_data_dir(each)
        with _alone(keys), _taken_back() as files:
            files.extend(_missing(_files_of(settings, book.government)))
            _make_schema(settings)
            make_keys(keys, book.government, book.origin)
            check_data_dir(settings)
            engine = make_engine(settings.url())
            try:
                with begin(engine) as conn:
                    open_book(conn, book, now=now, today=today)
                    # Die before here: files without a book, which the next try takes over.
            finally:
                engine.dispose()
    # From here on the book stands.
    engine = make_engine(settings.url())
    try:
        return seal_book(engine, keys, book.government, now=now)
    except Exception as error:
        reason = str(getattr(error, "message", error)) or type(error).__name__
        raise BookUnsealedError(government=book.government, reason=reason) from error
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


# --- the schema ------------------------------------------------------------------------------


def _check_server(settings: Settings) -> None:
    """That PostgreSQL answers and can hold the book, before anything is made beside it."""
    found = current(settings.url())
    if found != head() and (found is not None or settings.owner_url is None):
        raise SchemaOutOfDateError(found=found or "", needed=head())


def _make_schema(settings: Settings) -> None:
    if settings.is_sqlite():
        path = _sqlite_path(settings)
        if not path.exists():
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    if current(settings.url()) is None:
        owner = settings.owner_url
        upgrade(owner.get_secret_value() if owner and not settings.is_sqlite() else settings.url())
    found = current(settings.url())
    if found != head():
        raise SchemaOutOfDateError(found=found or "", needed=head())


def _sqlite_path(settings: Settings) -> Path:
    return Path(make_url(settings.url()).database or settings.data_dir / DATABASE)


# --- what is taken back ------------------------------------------------------------------------


def _files_of(settings: Settings, government: str) -> list[Path]:
    """Every file that making a book may leave."""
    state = signer_state_path(settings.keys(), government)
    files = [log_key_path(settings.keys(), government), state]
    files += [state.with_name(state.name + end) for end in (".lock", ".tmp")]
    if settings.is_sqlite():
        path = _sqlite_path(settings)
        if not path.exists():
            files += [path.with_name(path.name + end) for end in ("", "-wal", "-shm", "-journal")]
    return files


def _missing(paths: Iterable[Path]) -> list[Path]:
    return [path for path in paths if not path.exists() and not path.is_symlink()]


@contextmanager
def _taken_back() -> Iterator[list[Path]]:
    """A list of paths that are removed, last first, when the block fails; folders where empty."""
    paths: list[Path] = []
    try:
        yield paths
    except BaseException:
        for path in reversed(paths):
            with suppress(OSError):
                path.rmdir() if path.is_dir() else path.unlink()
        raise


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder: what was not there a moment ago is ours. Raises InitRunningError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InitRunningError(path=str(folder)) from None
        yield
    finally:
        os.close(handle)  # unlocks
