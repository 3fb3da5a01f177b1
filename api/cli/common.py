"""What all commands share: settings, the book, the government, and how answers are printed."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Engine

    from api.settings import Settings
    from bank_adapters.statements import Profile
    from bank_adapters.statements.statement import WarningJSON

__all__ = [
    "GovernmentOption",
    "JsonOption",
    "chosen_profile",
    "engine_of",
    "fail",
    "government_of",
    "load_settings",
    "new_file",
    "open_book_of",
    "plain",
    "print_json",
    "print_warnings",
    "read_bytes",
]

GovernmentOption = Annotated[
    str,
    typer.Option(
        "--government",
        "-g",
        metavar="CODE",
        help="Region code; default: RKUD_GOVERNMENT, or the only one in the book.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def plain(text: object) -> str:
    """Text that can't drive a terminal: control characters and separators are shown escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))


def print_json(value: object) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, default=str) + "\n")


def fail(code: str, message: str) -> NoReturn:
    """Refused: say so by name and end with 2."""
    if "--json" in sys.argv:
        print_json({"error": code, "message": message})
    else:
        sys.stderr.write(f"rkud: {code}: {plain(message)}\n")
    raise typer.Exit(2)


def print_warnings(warnings: Sequence[WarningJSON]) -> None:
    """What a reader found, a line each."""
    for each in warnings:
        sys.stdout.write(plain(f"warning {each['code']} at {each['position']}: {each['message']}"))
        sys.stdout.write("\n")


def read_bytes(file: Path) -> bytes:
    """A file of the caller's. Raises FileUnreadableError."""
    from api.importing import FileUnreadableError  # noqa: PLC0415

    try:
        return file.read_bytes()
    except OSError as error:
        raise FileUnreadableError(path=str(file), reason=error.strerror or "unreadable") from None


def chosen_profile(given: str) -> Profile | None:
    """The layout that an option names: a `.toml` file, or a name; None for an empty one."""
    from api.profiles import profile_in, profile_named  # noqa: PLC0415

    if not given:
        return None
    if given.endswith(".toml"):
        return profile_in(read_bytes(Path(given)))
    return profile_named(given, load_settings().data_dir)


@contextmanager
def new_file(path: Path, *, force: bool = False) -> Iterator[IO[bytes]]:
    """
    A file (0600) to write an answer to, opened before the work begins and gone if that fails.

    What stands there already is refused, or with *force* replaced as a whole at the end.

    Raises:
        TargetExistsError: Something stands there.
        OSError: Nothing can be written there.
    """
    from api.backups import TargetExistsError  # noqa: PLC0415

    part = path.with_name(f".{path.name}.{os.getpid()}.part") if force else path
    if force and path.is_dir():
        raise IsADirectoryError(21, "Is a directory", str(path))
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        raise TargetExistsError(path=str(path)) from None
    except OSError as error:
        # Named as it was given, not by the name that we wanted beside it.
        raise OSError(error.errno, error.strerror, str(path)) from None
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        if force:
            part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def load_settings() -> Settings:
    """Settings of the environment; a wrong one is named."""
    from pydantic import ValidationError  # noqa: PLC0415

    from api.logs import configure  # noqa: PLC0415
    from api.settings import Settings  # noqa: PLC0415

    try:
        settings = Settings()
    except ValidationError as error:
        found = error.errors(include_input=False)[0]
        name = "_".join(str(part) for part in found["loc"]).upper()
        fail("invalid_setting", f"RKUD_{name}: {found['msg']}")
    # To standard error: standard output is for answers.
    configure(settings.log_level)
    return settings


def engine_of(settings: Settings) -> Engine:
    """An engine on the book that the settings name; refuses where none is (D20)."""
    from api.data_dir import check_data_dir  # noqa: PLC0415
    from api.engine import make_engine  # noqa: PLC0415
    from api.serving import check_schema  # noqa: PLC0415

    check_data_dir(settings)
    check_schema(settings)
    return make_engine(settings.url())


def government_of(engine: Engine, settings: Settings, given: str) -> str:
    """The government a command acts in: given, by RKUD_GOVERNMENT, or the only one in the book."""
    from sqlalchemy import select  # noqa: PLC0415

    from api.engine import reading  # noqa: PLC0415
    from api.errors import UnknownGovernmentError  # noqa: PLC0415
    from ledger import tables as t  # noqa: PLC0415

    with reading(engine) as conn:
        known = list(
            conn.execute(select(t.government.c.code).order_by(t.government.c.code)).scalars()
        )
    wanted = given or settings.government
    if wanted:
        if wanted not in known:
            raise UnknownGovernmentError(government=wanted)
        return wanted
    if len(known) == 1:
        return str(known[0])
    fail(
        "government_required",
        f"the book holds {len(known)} governments ({', '.join(known[:10])}): give --government CODE",
    )


@contextmanager
def open_book_of(government: str) -> Iterator[tuple[Settings, Engine, str]]:
    """Settings, engine and government of a command; the engine is closed at the end."""
    settings = load_settings()
    engine = engine_of(settings)
    try:
        yield settings, engine, government_of(engine, settings, government)
    finally:
        engine.dispose()
