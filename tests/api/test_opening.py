"""Making a book: all of it, or nothing."""

from __future__ import annotations

import fcntl
import itertools
import os
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from api import opening
from api.backups import back_up
from api.checkpoints import seal_book
from api.clock import system_clock
from api.engine import make_engine, reading
from api.errors import ApiError, DataDirMissingError
from api.migrations_runner import current, upgrade
from api.opening import BookUnsealedError, InitRunningError, make_book
from api.private_postgres import PrivatePostgres
from api.serving import SchemaOutOfDateError, ServeOptions, check_has_book, check_serving
from api.settings import Settings
from ledger.errors import FutureEffectiveDateError
from tests.api.support import GOVERNMENT, book
from tests.databases import chosen_engines

_numbers = itertools.count(1)


class BrokenError(Exception):
    """What a machine may do at any moment."""


@pytest.fixture(params=chosen_engines())
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Where no book is: no directory, and on PostgreSQL an empty database."""
    home = tmp_path / "deep" / "data"
    if request.param == "sqlite":
        return Settings(data_dir=home)
    server: PrivatePostgres = request.getfixturevalue("postgres")
    name = f"opening_{next(_numbers)}"
    urls = server.create_database(name)
    request.addfinalizer(lambda: server.drop_database(name))
    return Settings(
        data_dir=home, database_url=SecretStr(urls.app), owner_url=SecretStr(urls.owner)
    )


def break_at(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Let a step of making a book do its work, and then fail."""
    real = getattr(opening, name)

    def fails(*arguments: object, **named: object) -> None:
        real(*arguments, **named)
        raise BrokenError

    monkeypatch.setattr(opening, name, fails)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder but SQLite's logs, with what is in it."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(("-wal", "-shm"))
    }


def governments(settings: Settings) -> list[str]:
    """Whose books the database holds."""
    engine = make_engine(settings.url())
    with reading(engine) as conn:
        found = conn.execute(text("SELECT code FROM government ORDER BY code")).scalars().all()
    engine.dispose()
    return list(found)


def test_opening_in_the_future_is_refused_before_anything_is_made(
    settings: Settings, tmp_path: Path
) -> None:
    """Neither a directory nor a schema is left."""
    with pytest.raises(FutureEffectiveDateError):
        make_book(settings, book(opening_on="9998-01-01", fiscal_years=[9998]))

    assert [] == list(tmp_path.iterdir())
    if not settings.is_sqlite():
        assert current(settings.url()) is None


@pytest.mark.parametrize("step", ["_make_schema", "make_keys", "check_data_dir", "open_book"])
def test_book_that_fails_half_way_is_gone_and_can_be_made_again(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Whatever step fails: no file and no directory of it stays, and the next try succeeds."""
    with monkeypatch.context() as patch:
        break_at(patch, step)
        with pytest.raises(BrokenError):
            make_book(settings, book())

    assert [] == list(tmp_path.iterdir())
    if not settings.is_sqlite():
        with pytest.raises(DataDirMissingError, match="rkud init makes one"):
            check_has_book(settings)
    assert make_book(settings, book()).size > 10
    assert [GOVERNMENT] == governments(settings)


def test_failed_second_book_leaves_the_first_as_it_was(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what this run made is taken back: keys of the other government, nothing else."""
    make_book(settings, book())
    before = contents(settings.data_dir)
    with monkeypatch.context() as patch:
        break_at(patch, "open_book")
        with pytest.raises(BrokenError):
            make_book(settings, book("37"))

    assert before == contents(settings.data_dir)
    assert [GOVERNMENT] == governments(settings)
    make_book(settings, book("37"))
    assert [GOVERNMENT, "37"] == governments(settings)


def test_files_that_were_there_before_stay(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A directory that held something else holds just that again."""
    settings.data_dir.mkdir(mode=0o700, parents=True)
    note = settings.data_dir / "note.txt"
    note.write_text("mine")
    note.chmod(0o600)
    break_at(monkeypatch, "open_book")

    with pytest.raises(BrokenError):
        make_book(settings, book())

    assert {"note.txt": b"mine"} == contents(settings.data_dir)
    assert [note] == list(settings.data_dir.iterdir())


def test_two_at_once_are_refused(settings: Settings) -> None:
    """The second makes nothing and takes nothing away from the first."""
    settings.keys().mkdir(mode=0o700, parents=True)
    settings.data_dir.chmod(0o700)
    handle = os.open(settings.keys(), os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        with pytest.raises(InitRunningError):
            make_book(settings, book())
    finally:
        os.close(handle)

    assert {} == contents(settings.data_dir)


def test_book_whose_first_checkpoint_fails_stands_and_is_sealed_later(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was committed is not taken back; the refusal says how to go on."""

    def fails(*_arguments: object, **_named: object) -> None:
        raise BrokenError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(opening, "seal_book", fails)
        with pytest.raises(BookUnsealedError, match=r"disk full.*rkud audit checkpoint"):
            make_book(settings, book())

    engine = make_engine(settings.url())
    sealed = seal_book(engine, settings.keys(), GOVERNMENT, now=system_clock())
    engine.dispose()
    assert sealed.size > 10


def test_schema_without_a_book_is_neither_served_nor_copied(
    settings: Settings, tmp_path: Path
) -> None:
    """What an init that was killed leaves is refused with the way on, and init takes it over."""
    settings.data_dir.mkdir(mode=0o700, parents=True)
    if settings.is_sqlite():
        (settings.data_dir / "rkud.db").touch(mode=0o600)
    owner = settings.owner_url
    upgrade(owner.get_secret_value() if owner else settings.url())

    with pytest.raises(DataDirMissingError, match="rkud init makes one"):
        check_serving(settings, ServeOptions())
    with pytest.raises(DataDirMissingError):
        check_has_book(settings)
    make_book(settings, book())
    check_serving(settings, ServeOptions(embedded=True))
    if settings.is_sqlite():
        assert back_up(settings, tmp_path / "copy") > 0


def test_database_without_schema_and_owner_is_refused_by_name(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """On PostgreSQL the owner makes the schema first; nothing is made before that."""
    if "postgresql" not in chosen_engines():
        pytest.skip("PostgreSQL is left out")
    server: PrivatePostgres = request.getfixturevalue("postgres")
    urls = server.create_database("opening_bare")
    settings = Settings(data_dir=tmp_path / "data", database_url=SecretStr(urls.app))
    try:
        with pytest.raises(SchemaOutOfDateError, match="rkud db upgrade") as refused:
            make_book(settings, book())
    finally:
        server.drop_database("opening_bare")

    assert isinstance(refused.value, ApiError)
    assert not settings.data_dir.exists()
