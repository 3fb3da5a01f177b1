"""A statement pulled from the simulated bank over HTTP into a book, and its balance asked for."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from api.cli.root import app
from api.engine import make_engine, reading
from api.fsck import check_all
from api.operating import put
from api.pulling import Pulled, ask_balance, bank_today, pull
from api.settings import Settings
from bank_adapters.snap.errors import (
    AccountNotServedError,
    StatementPeriodError,
    TokenRefusedError,
)
from bank_adapters.statements import read_statement_file
from ledger.opening import RECONCILER
from reconciliation import read_import
from reconciliation.standing import standing_of
from tests.bank_adapters.served_bank.caller import Caller, pay
from tests.databases import chosen_engines
from tests.soak import dispatch as soak
from tests.soak.server import Book

FAULTS = """\
[probability]
paging_repeats = 1.0
"""


class PagedBank(soak.Bank):
    """A bank of five rows a page."""

    def tell(self, command: str, *arguments: str) -> dict[str, Any]:
        """One of its commands."""
        more = ("--page-rows", "5") if command == "prepare" else ()
        return super().tell(command, *arguments, *more)


@contextmanager
def banked(folder: Path, engine: str) -> Iterator[tuple[Book, PagedBank]]:
    """A demo book, and a bank in its own process."""
    os.umask(0o077)
    with soak.new_book(folder, engine, "on_issue") as book:
        script = folder / "faults.toml"
        script.write_text(FAULTS)
        bank = PagedBank(folder / "bank", script, "http://127.0.0.1:9", 0)
        soak.connect(bank, book, [("137", "2000000001", "CV Maju")])
        try:
            yield book, bank
        finally:
            bank.stop()


def orders(bank: PagedBank, first: int, last: int) -> None:
    """Orders of n rupiah that somebody else gave the bank, over at least two seconds."""
    caller = Caller(json.loads((bank.folder / "credentials.json").read_text()))
    for n in range(first, last + 1):
        if n % 4 == 0:
            time.sleep(1.05)
        answer = pay(caller, f"LAIN-{n}", amount=f"{n}.00")
        assert answer.code == "2001700", answer


def settings_of(book: Book) -> Settings:
    """Of the book's process."""
    url = book.environment.get("RKUD_DATABASE_URL")
    return Settings(data_dir=book.folder, database_url=SecretStr(url) if url else None)


def pulled(book: Book, engine: Engine, **options: Any) -> Pulled:
    """Today's statement."""
    asked = {"bank_account": soak.BANK, "first": bank_today(), "last": bank_today()} | options
    return pull(engine, settings_of(book), soak.GOVERNMENT, by=RECONCILER, **asked)


def told(engine: Engine) -> list[int]:
    """Amounts of the provisional lines, in rupiah."""
    with reading(engine) as conn:
        found = conn.execute(text("SELECT amount_sen FROM provisional_line ORDER BY id")).scalars()
        return [-sen // 100 for sen in found]


@pytest.mark.parametrize("engine_name", chosen_engines())
def test_pull_takes_each_line_once_and_the_day_s_statement_confirms_it(
    tmp_path: Path, engine_name: str
) -> None:
    """Over pages that overlap and repeat rows; a dry run keeps nothing, a later pull adds the rest."""
    with banked(tmp_path, engine_name) as (book, bank):
        engine = make_engine(book.url)
        orders(bank, 1, 10)
        tried = pulled(book, engine, dry_run=True)
        after_dry_run = told(engine)
        first = pulled(book, engine)
        same = pulled(book, engine)
        orders(bank, 11, 13)
        more = pulled(book, engine)
        amounts = told(engine)
        with reading(engine) as conn:
            standing = standing_of(conn, soak.GOVERNMENT, soak.BANK)
        (day,) = bank.tell("end-day")["statements"]
        file = next(Path(each) for each in day["files"] if each.endswith(".sta"))
        settings = settings_of(book)
        ended = read_import(RECONCILER, soak.BANK, file.read_bytes(), name=file.name)
        confirmed = put(engine, settings, soak.GOVERNMENT, ended)
        with reading(engine) as conn:
            query = "SELECT content FROM statement_file_content WHERE sha256 = :sha256"
            kept = conn.execute(text(query), {"sha256": first.file.file_sha256}).scalar_one()
            findings = [
                each
                for each in check_all(conn, soak.GOVERNMENT)
                if each.table not in {"token", "bank_account"} and not each.is_note
            ]
        engine.dispose()

    assert ([], 10) == (after_dry_run, tried.answer["provisional"])
    assert first.pages > 1
    assert (10, 3) == (first.answer["provisional"], more.answer["provisional"])
    assert (True, []) == (same.answer["replayed"], more.missing)
    assert list(range(1, 14)) == amounts
    assert (13, -91_00, None) == (standing.told, standing.told_sen, standing.statement_sen)
    assert bytes(kept) == first.data
    assert first.file.statements == read_statement_file(first.data).statements
    assert 13 == confirmed["statements"][0]["provisional_booked"]
    assert [] == findings


def test_balance_is_explained_and_a_bank_that_refuses_leaves_the_book_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Orders under way explain the difference, what left past us does not; refusals import nothing."""
    with banked(tmp_path, "sqlite") as (book, bank):
        monkeypatch.setenv("RKUD_DATA_DIR", str(book.folder))
        before, agreed = rkud("balance", soak.BANK)
        engine = make_engine(book.url)
        soak.make_orders(engine, 3, [("137", "2000000001", "CV Maju")], seed=1)
        signed, explained = rkud("balance", soak.BANK)
        orders(bank, 1, 1)
        short, left = rkud("balance", soak.BANK)
        answer, done = rkud("pull", soak.BANK, "--output", str(tmp_path))
        parsed = read_statement_file(Path(answer["file"]).read_bytes())
        lines = told(engine)

        today = bank_today()
        with pytest.raises(StatementPeriodError):
            pulled(book, engine, last=today + timedelta(days=1))
        with pytest.raises(AccountNotServedError):
            pulled(book, engine, bank_account="137:0099999999")
        bank.tell("silence", "--kind", "unavailable", "--seconds", "60")
        with pytest.raises(TokenRefusedError):
            pulled(book, engine)
        with pytest.raises(TokenRefusedError):
            ask_balance(engine, settings_of(book), soak.GOVERNMENT, soak.BANK)
        after = told(engine)
        engine.dispose()

    assert (0, 0, 1, 0) == (agreed, explained, left, done)
    assert ("agreed", "0.00", []) == (before["verdict"], before["difference"], before["under_way"])
    (queued,) = signed["under_way"]
    assert ("queued", 3, "0.00") == (queued["state"], queued["payments"], signed["left"])
    assert signed["difference"] == queued["amount"] != "0.00"
    assert ("differs", "-1.00") == (short["verdict"], short["left"])
    assert (answer["file_sha256"], 1) == (parsed.file_sha256, len(parsed.statements[0].lines))
    assert [1] == lines == after


def rkud(*arguments: str) -> tuple[Any, int]:
    """The JSON of a command of the group `bank`, and its exit code."""
    done = CliRunner().invoke(app, ["bank", *arguments, "--json"])
    return json.loads(done.stdout), done.exit_code
