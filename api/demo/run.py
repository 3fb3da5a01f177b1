"""The demo from an empty directory to an inspector's verdict, in order."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec

from api.demo.bank import BankProcess
from api.demo.book import Places, business_days, clock_offset, demo_settings, hold, open_demo_book
from api.demo.client import Api
from api.demo.data import ORIGIN, DemoData, load_demo_data
from api.demo.day import book_receipts, issue_orders, sign_advice_list
from api.demo.errors import DemoMismatchError, TooLargeADemoError
from api.demo.evening import Evening, findings_of, take_in
from api.demo.inspection import export_book, fsck, verify_offline, vkey_of
from api.demo.morning import settle_yesterday
from api.demo.office import STAFF, Office
from api.demo.report import Report, rupiah
from api.demo.server import DemoServer, shifted_clock
from api.demo.tampering import copy_database, edit_amount, edit_leaf
from api.settings import Settings
from ledger.money import sen_text

__all__ = ["ORDERS_MAX", "Options", "run_demo"]

#: What the demo budget has room for, over all days.
ORDERS_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class Options:
    """sp2d: orders a day. days: consecutive business days. stay: serve when the job is done."""

    sp2d: int = 1_000
    days: int = 1
    seed: int = 1
    stay: bool = True


@dataclass(slots=True)
class _Demo:
    """What the parts share."""

    options: Options
    settings: Settings
    data: DemoData
    places: Places
    days: list[date]
    office: Office
    bank: BankProcess
    report: Report
    room: dict[str, int]
    evenings: list[Evening] = field(default_factory=list)

    @property
    def government(self) -> str:
        """The province's code."""
        return self.data.banten.province.code

    @property
    def database(self) -> Path:
        """The book."""
        return self.settings.data_dir / "rkud.db"


def run_demo(options: Options, report: Report) -> int:
    """
    Do it all; the exit code: 0, or 1 when something did not come out as it must.

    Raises DemoError and what the parts raise.
    """
    asked = options.sp2d * options.days
    if asked > ORDERS_MAX:
        raise TooLargeADemoError(asked=asked, most=ORDERS_MAX)
    os.umask(0o077)  # also of the processes that are started here
    settings, data = demo_settings(), load_demo_data()
    started = time.monotonic()
    with hold(settings.data_dir) as again, ExitStack() as stack:
        where = settings.data_dir
        report.line(f"RKUD demo, {data.province}: invented data, the real program")
        report.step("book", f"{where}{' (the earlier demo book was removed)' if again else ''}")
        demo = _opened(options, settings, data, report)
        for day in demo.days:
            server = _serve(demo, day)
            stack.push(server)
            asyncio.run(_whole_day(demo, server.url, day))
            if day != demo.days[-1]:
                server.stop()
        good = asyncio.run(_inspected(demo, server.url))
        good = _tampered(demo) and good
        report.title(f"Done in {time.monotonic() - started:.0f} s.")
        if options.stay:
            _stay(demo, server)
    return 0 if good else 1


def _opened(options: Options, settings: Settings, data: DemoData, report: Report) -> _Demo:
    """Book, bank account, keys: as they are on the morning of the first day."""
    days = business_days(datetime.now(UTC), data.zone, options.days + 1)
    evening_before, days = days[0], days[1:]
    places = Places(settings.data_dir)
    places.make()
    open_demo_book(settings, data, days=days, opened_on=evening_before)
    bank = BankProcess(places.bank, places.desk, options.seed)
    bank.open(data.bank_account, data.opening_sen, evening_before)
    return _Demo(
        options,
        settings,
        data,
        places,
        days,
        Office(data, places.office, shifted_clock(timedelta()), ORIGIN),
        bank,
        report,
        {row.id: row.released_sen for row in data.budget()},
    )


def _serve(demo: _Demo, day: date) -> DemoServer:
    """The server, its clock and the office's at the opening hour of *day*."""
    offset = clock_offset(day, datetime.now(UTC), demo.data.zone)
    demo.office.clock = shifted_clock(offset)
    demo.office.start_day(demo.settings)
    return DemoServer(demo.settings.data_dir, demo.places.log, offset=offset)


async def _whole_day(demo: _Demo, url: str, day: date) -> None:
    async with Api(url, demo.government) as api:
        if day == demo.days[0]:
            await _first_morning(demo, api, day)
        else:
            await _next_morning(demo, api)
        demo.report.day(day)
        held_sen = 0
        if demo.evenings:
            held_sen = await settle_yesterday(api, demo.office, demo.evenings[-1], demo.report)
        await _working_day(demo, api, day, held_sen)


async def _first_morning(demo: _Demo, api: Api, day: date) -> None:
    """People, keys, tokens, budget: each person and grant by two administrators."""
    office, report, data = demo.office, demo.report, demo.data
    with report.progress("people", len(office.people) * 2) as tick:
        await office.appoint_staff(api, day.isoformat(), tick)
        await office.hand_out_tokens(api, STAFF, tick)
        loaded = await _load_budget(demo, api, day)
        await office.appoint_budget_users(api, day.isoformat(), tick)
        await office.hand_out_tokens(api, office.budget_users, tick)
    officers = len(office.people)
    ceiling, released = (
        rupiah(sum(getattr(row, name) for row in data.budget()))
        for name in ("ceiling_sen", "released_sen")
    )
    report.step("people", f"{officers} persons: added, granted, given keys by two administrators")
    report.step("budget", f"{loaded['new_lines']} lines of {ceiling}; {released} released")


async def _next_morning(demo: _Demo, api: Api) -> None:
    """Yesterday's tokens have ended."""
    office = demo.office
    await office.hand_out_tokens(api, [*STAFF, *office.budget_users], lambda: None)


async def _load_budget(demo: _Demo, api: Api, day: date) -> dict[str, Any]:
    rows: list[dict[str, str]] = []
    names = {skpd.code: skpd.name for skpd in demo.data.skpds()}
    released: dict[tuple[str, str], int] = {}
    for row in demo.data.budget():
        rows.append(
            {
                "type": "line",
                "budget_line": row.id,
                "skpd": row.skpd,
                "skpd_name": names[row.skpd],
                "sub_kegiatan": row.sub_kegiatan,
                "account": row.account,
                "fund_source": row.fund_source,
                "amount": sen_text(row.ceiling_sen),
            }
        )
        key = (row.skpd, row.sub_kegiatan)
        released[key] = released.get(key, 0) + row.released_sen
    for (skpd, sub_kegiatan), sen in released.items():
        rows.append(
            {
                "type": "release",
                "skpd": skpd,
                "sub_kegiatan": sub_kegiatan,
                "amount": sen_text(sen),
            }
        )
    answer: dict[str, Any] = await api.post_file(
        demo.office.token("anggaran"),
        "/budget-loads",
        _json_lines(rows),
        params={"fiscal_year": str(day.year), "format": "jsonl"},
    )
    return answer


def _json_lines(rows: Iterable[dict[str, str]]) -> bytes:
    return b"".join(msgspec.json.encode(row) + b"\n" for row in rows)


async def _working_day(demo: _Demo, api: Api, day: date, held_sen: int) -> None:
    options, report, office = demo.options, demo.report, demo.office
    name, first = day.isoformat(), demo.days.index(day)
    orders = demo.data.orders(
        name, options.sp2d, seed=options.seed, room=demo.room, first_no=first * options.sp2d + 1
    )
    receipts = list(
        demo.data.receipts(
            name,
            max(options.sp2d // 20, 5),
            seed=options.seed,
            first_no=first * max(options.sp2d // 20, 5) + 1,
        )
    )
    began, acts = time.monotonic(), api.acts
    with report.progress("SP2D", len(orders) + len(receipts)) as tick:
        issued = await issue_orders(api, office, orders, tick)
        received_sen = await book_receipts(api, office, receipts, tick)
    seconds = time.monotonic() - began
    report.step(
        "SP2D",
        f"{issued.orders:,} under four hands, {len(issued.payments):,} payees,"
        f" gross {rupiah(issued.gross_sen)},"
        f" withheld {rupiah(issued.withheld_sen)}, net {rupiah(issued.net_sen)}",
    )
    report.step("receipts", f"{len(receipts)} deposit slips (STS), {rupiah(received_sen)}")
    report.step("", f"{api.acts - acts:,} acts over HTTP in {seconds:.1f} s, each in the log")
    signed = await sign_advice_list(api, office, demo.places.desk, issued.net_sen + held_sen)
    report.step(
        "advice list",
        f"{signed.number} signed by 2: {signed.payments:,} payments, {rupiah(signed.amount_sen)}",
    )
    answer = demo.bank.close_day(
        day, [signed.path], office["kuasa-bud"].public_hex, [each.deposit for each in receipts]
    )
    with report.progress("bank's answers", len(issued.payments)) as tick:
        evening = await take_in(api, office, answer, name, tick)
    demo.evenings.append(evening)
    statement = evening.statement["statements"][0]
    report.step(
        "bank",
        f"MT940 no. {int(statement['statement_no'])}, {statement['new']:,} lines,"
        " from a process that saw only that list",
    )
    # The twin debits of a day before, each with its correction and its payment.
    corrected = evening.run["stages"]["netted_payment"]
    report.step(
        "matched",
        f"{evening.run['matched'] - corrected:,} exactly;"
        + (f" {corrected} double debit corrected;" if corrected else "")
        + f" recorded {evening.paid:,} paid, {len(evening.rejected)} rejected,"
        f" {len(evening.returned)} returned",
    )
    report.cash_position(evening, day)
    report.reconciliation(evening)
    report.open_items(findings_of(evening), evening)
    if evening.proof["difference"] != "0.00":
        raise DemoMismatchError(
            what="difference of bank and books", expected="0.00", actual=evening.proof["difference"]
        )


async def _inspected(demo: _Demo, url: str) -> bool:
    """Seal, export, verify in another process; print what the inspector sees."""
    report, keys = demo.report, demo.settings.keys()
    async with Api(url, demo.government) as api:
        sealed = await api.post(demo.office.token("inspektorat"), "/audit/checkpoint")
        await api.get_public(f"/log/{demo.government}/checkpoint")
    vkey = vkey_of(keys, demo.government)
    exported = export_book(demo.database, demo.places.export, demo.government, vkey)
    began = time.monotonic()
    verdict = verify_offline(demo.places.export, vkey)
    seconds = time.monotonic() - began
    report.title("PEMERIKSA (inspector): python -m audit verify DIR --vkey VKEY, offline")
    report.step("sealed", f"{sealed['size']:,} entries, root {sealed['root']}")
    report.step("exported", f"{exported.checkpoints} checkpoints; verified in {seconds:.1f} s:")
    report.verdict(verdict.said)
    good = verdict.exit_code == 0
    report.step("verdict", "nothing is wrong with what was checked" if good else "WRONG")
    return good


def _tampered(demo: _Demo) -> bool:
    """Edit a copy behind the ledger's back; both checks must name the journal."""
    report, government = demo.report, demo.government
    vkey = vkey_of(demo.settings.keys(), government)
    folder = demo.places.tampered
    copy = copy_database(demo.database, folder)
    edit = edit_amount(copy, government, demo.days[-1].isoformat())
    report.title("PENYERANG (attacker): an amount edited in a copy, the trigger put back")
    report.step(
        "edited",
        f"journal {edit.journal}, line {edit.n}: {rupiah(edit.before)} -> {rupiah(edit.after)}",
    )
    found = fsck(folder, government)
    named = [
        each["message"]
        for each in found.said.get("findings", ())
        if each["code"] == "line_changed" and f"journal {edit.journal} " in each["message"]
    ]
    report.step("rkud fsck", named[0] if named else f"DID NOT NOTICE: {str(found.said)[:200]}")
    edit_leaf(copy, government, edit)
    export_book(copy, folder / "export", government, vkey)
    verdict = verify_offline(folder / "export", vkey)
    failures = verdict.said.get("failures", ())
    wrong = [each for each in failures if each["journal"] == edit.journal]
    roots = [each for each in failures if each["code"] == "root_differs"]
    report.step("edited", f"the log's entry {edit.leaf} as well, so that it says the same")
    for each in (*wrong[:1], *roots[:1]):
        place = f"journal {each['journal']}: " if each["journal"] else ""
        report.step("verify", f"{place}{each['message']}")
    return bool(named and verdict.exit_code == 1 and wrong)


def _stay(demo: _Demo, server: DemoServer) -> None:
    """Serve until Ctrl-C."""
    report = demo.report
    report.step("serving", f"{server.url}/v1/governments/{demo.government}/journals (Ctrl-C ends)")
    report.step("token", f"the inspector's is in {demo.office.inspector_token}")
    try:
        server.wait()
    except KeyboardInterrupt:
        report.line()
