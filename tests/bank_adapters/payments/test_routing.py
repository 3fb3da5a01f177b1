"""The rail of a payment: by bank, amount and hour; never one that its own table rules out."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bank_adapters.payments.banks import Bank, bank_list, parse_banks
from bank_adapters.payments.errors import InvalidPaymentSettingsError, NoRailError
from bank_adapters.payments.order import RAILS
from bank_adapters.payments.rail_table import RailTable, parse_rail_table, rail_table
from bank_adapters.payments.routing import DAYS_AHEAD, WIB, Routed, WaitUntil, choose_rail
from ledger.money import Money

BANKS = {
    "137": Bank("137", "Paying bank", bifast="yes"),
    "002": Bank("002", "On BI-FAST", bifast="yes"),
    "008": Bank("008", "Not known", bifast="unknown"),
    "011": Bank("011", "Not on it", bifast="no"),
}
MILLION = 1_000_000_00
HOLIDAY = date(2026, 3, 20)  # a Friday


def is_working_day(day: date) -> bool:
    """Monday to Friday but one holiday."""
    return day.weekday() < 5 and day != HOLIDAY


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """A moment of March 2026, WIB; the 5th is a Thursday."""
    return datetime(2026, 3, day, hour, minute, tzinfo=WIB)


def chosen(
    sen: int, bank: str, now: datetime, table: RailTable | None = None, **facts: object
) -> str | WaitUntil:
    """The rail for *sen* from bank 137 to *bank*."""
    routed = Routed(Money(sen), "137", bank, **facts)  # type: ignore[arg-type]
    return choose_rail(routed, BANKS, now, is_working_day, table or rail_table())


@pytest.mark.parametrize(
    ("sen", "bank", "now", "expected"),
    [
        # the paying bank's own customers, whatever the amount and hour
        (1, "137", at(7, 23), "intrabank"),
        (5_000 * MILLION, "137", at(5, 3), "intrabank"),
        # BI-FAST to its limit, at all hours
        (100, "002", at(8, 2), "bifast"),
        (250 * MILLION, "002", at(5, 10), "bifast"),
        (250 * MILLION + 1, "002", at(5, 10), "skn"),
        (99, "002", at(5, 10), "skn"),
        # a bank that isn't known to be on it
        (50 * MILLION, "008", at(5, 10), "skn"),
        (50 * MILLION, "011", at(5, 10), "skn"),
        # SKN to a billion, RTGS above
        (1_000 * MILLION, "008", at(5, 10), "skn"),
        (1_000 * MILLION + 1, "008", at(5, 10), "rtgs"),
        # the windows' edges: the opening belongs to it, the closing does not
        (300 * MILLION, "002", at(5, 6, 30), "skn"),
        (300 * MILLION, "002", at(5, 13, 59), "skn"),
        (300 * MILLION, "002", at(5, 14, 0), "rtgs"),
        (300 * MILLION, "002", at(5, 16, 29), "rtgs"),
        (300 * MILLION, "002", at(5, 16, 30), WaitUntil("skn", at(6, 6, 30))),
        (300 * MILLION, "002", at(5, 6, 29), WaitUntil("skn", at(5, 6, 30))),
        (2_000 * MILLION, "002", at(5, 5), WaitUntil("rtgs", at(5, 6, 30))),
        # RTGS takes nothing to its floor, so what is below waits for SKN
        (100 * MILLION, "008", at(5, 15), WaitUntil("skn", at(6, 6, 30))),
        (100 * MILLION + 1, "008", at(5, 15), "rtgs"),
        # over the weekend, and over the holiday with its weekend
        (300 * MILLION, "002", at(6, 20), WaitUntil("skn", at(9, 6, 30))),
        (300 * MILLION, "002", at(19, 20), WaitUntil("skn", at(23, 6, 30))),
    ],
)
def test_rail_is_what_bank_amount_and_hour_allow(
    sen: int, bank: str, now: datetime, expected: str | WaitUntil
) -> None:
    """The first rail in order that is open, else the next opening of one that takes it."""
    assert expected == chosen(sen, bank, now)


def test_rail_hours_are_those_of_western_indonesia_whatever_the_zone_of_now() -> None:
    """09:00 WIB is 02:00 UTC; a moment without a zone is nobody's hour."""
    assert "skn" == chosen(300 * MILLION, "002", datetime(2026, 3, 5, 2, tzinfo=UTC))
    assert "rtgs" == chosen(300 * MILLION, "002", datetime(2026, 3, 5, 8, tzinfo=UTC))
    # 20:00 UTC on the 5th is already the 6th in Jakarta.
    early = datetime(2026, 3, 5, 20, tzinfo=UTC)
    assert "bifast" == chosen(MILLION, "002", early, not_before=date(2026, 3, 6))
    with pytest.raises(ValueError, match="zone"):
        chosen(300 * MILLION, "002", datetime(2026, 3, 5, 9))  # noqa: DTZ001


def test_rail_of_a_payment_for_a_later_day_waits_for_that_day() -> None:
    """Nothing leaves before the order's day; on it the choice is as ever."""
    later = date(2026, 3, 9)

    assert WaitUntil("bifast", at(9, 0)) == chosen(MILLION, "002", at(5, 10), not_before=later)
    assert WaitUntil("skn", at(9, 6, 30)) == chosen(
        300 * MILLION, "002", at(5, 10), not_before=later
    )
    assert "bifast" == chosen(MILLION, "002", at(9, 0), not_before=later)
    assert "bifast" == chosen(MILLION, "002", at(10, 0), not_before=later)


@pytest.mark.parametrize(
    ("sen", "bank", "told"),
    [
        (2_000 * MILLION, "999", ["bank 999 is not in the bank list"]),
        (0, "137", ["intrabank: below its least, 0.01", "bifast: the payee's bank is the paying"]),
        (
            0,
            "008",
            [
                "intrabank: the payee's bank 008 is not 137",
                "bifast: bank 008 is not known to be on BI-FAST",
                "skn: below its least, 0.01",
                "rtgs: below its least, 100000000.01",
            ],
        ),
        (0, "011", ["bifast: bank 011 is not on BI-FAST"]),
    ],
)
def test_rail_refused_names_the_amount_and_why_each_rail_is_out(
    sen: int, bank: str, told: list[str]
) -> None:
    """`no_rail` tells an officer what he needs; nothing is split to fit."""
    with pytest.raises(NoRailError) as refused:
        chosen(sen, bank, at(5, 10))

    assert ("no_rail", str(Money(sen))) == (refused.value.code, refused.value.amount)
    assert ["intrabank", "bifast", "skn", "rtgs"] == [rail for rail, _ in refused.value.reasons]
    assert [] == [each for each in told if each not in str(refused.value)]


TABLE = """
order = ["rtgs", "skn"]

[[rail]]
rail = "skn"
valid_from = 2026-01-01
amount_min = "0.01"
amount_max = "1000000000.00"
days = ["mon", "wed"]
windows = ["08:00-10:00", "13:00-15:00"]
source = "a test"

[[rail]]
rail = "skn"
valid_from = 2026-03-11
amount_min = "0.01"
amount_max = "2000000000.00"
days = "working"
windows = ["08:00-24:00"]
source = "a test"

[[named_day]]
rail = "skn"
date = 2026-03-12
windows = []
source = "a test: closed"

[[named_day]]
rail = "skn"
date = 2026-03-14
windows = ["20:00-24:00"]
source = "a test: a Saturday with hours"
"""


@pytest.mark.parametrize(
    ("sen", "now", "expected"),
    [
        (MILLION, at(5, 9), WaitUntil("skn", at(9, 8))),  # a Thursday is none of its days
        (MILLION, at(9, 9), "skn"),
        (MILLION, at(9, 10), WaitUntil("skn", at(9, 13))),  # between two windows
        (MILLION, at(9, 15), WaitUntil("skn", at(11, 8))),
        (1_500 * MILLION, at(9, 9), WaitUntil("skn", at(11, 8))),  # the higher limit is to come
        (MILLION, at(11, 23, 59), "skn"),
        (MILLION, at(12, 9), WaitUntil("skn", at(13, 8))),  # the named day is closed
        (MILLION, at(14, 9), WaitUntil("skn", at(14, 20))),  # and this one is open
        (MILLION, at(14, 23), "skn"),
    ],
)
def test_rail_entries_hold_from_their_day_and_named_days_before_them(
    sen: int, now: datetime, expected: str | WaitUntil
) -> None:
    """Limits, weekdays and windows change on the dates that the table says."""
    assert expected == chosen(sen, "008", now, parse_rail_table(TABLE))


def test_rail_without_an_entry_yet_or_without_any_window_is_refused() -> None:
    """Before its first entry a rail is out, and so is one that never opens."""
    closed = parse_rail_table(TABLE.replace("windows = []", 'windows = ["08:00-09:00"]'))
    with pytest.raises(NoRailError, match="rtgs: has no entry that holds on 2026-03-05"):
        chosen(3_000 * MILLION, "008", at(5, 9), closed)
    with pytest.raises(NoRailError, match=f"skn: opens on none of the {DAYS_AHEAD} days"):
        choose_rail(
            Routed(Money(MILLION), "137", "008"),
            BANKS,
            at(12, 9),
            lambda _: False,
            parse_rail_table(TABLE.replace("2026-03-14", "2026-12-31")),
        )


def test_rail_table_of_the_operator_replaces_the_rails_that_it_names() -> None:
    """His SKN is the only SKN, other rails stay, and so does the order unless he gives one."""
    own = parse_rail_table(TABLE.replace('order = ["rtgs", "skn"]', ""))
    both = rail_table().overridden_by(own)

    assert rail_table().order == both.order
    assert "bifast" == chosen(MILLION, "002", at(5, 10), both)
    assert "rtgs" == chosen(300 * MILLION, "008", at(5, 10), both)
    assert WaitUntil("skn", at(9, 8)) == chosen(MILLION, "008", at(5, 10), both)
    assert ("rtgs", "skn") == rail_table().overridden_by(parse_rail_table(TABLE)).order


@settings(max_examples=300, deadline=None)
@given(
    st.integers(1, 3_000 * MILLION) | st.sampled_from([100 * MILLION, 250 * MILLION, 10**18]),
    st.sampled_from(["137", "002", "008", "011"]),
    st.datetimes(datetime(2025, 12, 20), datetime(2027, 1, 10), timezones=st.just(WIB)),  # noqa: DTZ001
    st.sampled_from(["shipped", "operator"]),
    st.none() | st.dates(date(2026, 1, 1), date(2026, 2, 1)),
)
def test_rail_chosen_satisfies_its_own_limits_and_window(
    sen: int, bank: str, now: datetime, which: str, not_before: date | None
) -> None:
    """Whatever is chosen is open at that moment and takes the whole amount, and so is what waits."""
    table = rail_table()
    if which == "operator":
        table = table.overridden_by(parse_rail_table(TABLE))
    routed = Routed(Money(sen), "137", bank, not_before)
    try:
        found = choose_rail(routed, BANKS, now, is_working_day, table)
    except NoRailError as refused:
        assert set(table.order) == {rail for rail, _ in refused.reasons}
        return

    moment = now
    if isinstance(found, WaitUntil):
        assert found.opens_at > now
        moment, rail = found.opens_at, found.rail
        assert rail == choose_rail(routed, BANKS, moment, is_working_day, table)
    else:
        rail = found
    entry = table.entry_on(rail, moment.date())
    assert entry is not None
    assert entry.amount_min.sen <= sen
    assert entry.amount_max is None or sen <= entry.amount_max.sen
    midnight = datetime(moment.year, moment.month, moment.day, tzinfo=WIB)
    assert any(
        timedelta(minutes=each.opens) <= moment - midnight < timedelta(minutes=each.closes)
        for each in table.windows_on(rail, moment.date(), is_working_day)
    )
    assert (rail == "intrabank") == (bank == "137")
    assert rail != "bifast" or BANKS[bank].bifast == "yes"
    assert not_before is None or moment.date() >= not_before


RAIL = TABLE[TABLE.index("[[rail]]") : TABLE.index("[[rail]]", 80)]


@pytest.mark.parametrize(
    ("old", "new", "field", "rule"),
    [
        ('"skn"', '"sknbi"', "rail[1].rail", "'sknbi', not one of"),
        ("2026-01-01", '"2026-01-01"', "rail[1].valid_from", "must be a date"),
        ("2026-01-01", "2026-01-01T00:00:00", "rail[1].valid_from", "must be a date"),
        ('"0.01"', '"0"', "rail[1].amount_min", "not above zero"),
        ('"0.01"', "0.01", "rail[1].amount_min", "must be text"),
        ('"0.01"', '"1,000"', "rail[1].amount_min", "not an amount"),
        ('"0.01"', '"1000000000.01"', "rail[1].amount_max", "is below amount_min"),
        ('["mon", "wed"]', '["senin"]', "rail[1].days", "must be every, working"),
        ('["mon", "wed"]', '"weekdays"', "rail[1].days", "must be a list"),
        ('["mon", "wed"]', "[]", "rail[1].days", "must be every, working"),
        ("08:00-10:00", "8-10", "rail[1].windows", "'8-10' is not HH:MM-HH:MM"),
        ("08:00-10:00", "08:00-24:01", "rail[1].windows", "is not HH:MM-HH:MM"),
        ("08:00-10:00", "10:00-10:00", "rail[1].windows", "closes before it opens"),
        ("08:00-10:00", "08:00-13:01", "rail[1].windows", "without overlap"),
        ('["08:00-10:00", "13:00-15:00"]', "[]", "rail[1].windows", "at least one window"),
        ('source = "a test"', "", "rail[1].source", "is missing"),
        ("amount_max", "amount_most", "rail[1].amount_most", "is not a key"),
    ],
)
def test_rail_table_that_breaks_a_rule_is_refused_with_field_and_rule(
    old: str, new: str, field: str, rule: str
) -> None:
    """An entry that could not be kept is refused before any payment meets it."""
    assert old in RAIL

    with pytest.raises(InvalidPaymentSettingsError) as refused:
        parse_rail_table(RAIL.replace(old, new))

    assert field == refused.value.field
    assert rule in refused.value.rule


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("order = [", "(file)"),
        ('order = ["skn", "bank"]', "order"),
        ('order = ["skn", "skn"]', "order"),
        ("rails = []", "rails"),
        (RAIL + RAIL, "rail"),
        ('[[named_day]]\nrail = "skn"\ndate = 2026-12-31\nsource = "x"', "named_day[1].windows"),
    ],
)
def test_rail_table_as_a_whole_is_checked(text: str, field: str) -> None:
    """Text that is no TOML, unknown rails, entries twice, a named day without windows."""
    with pytest.raises(InvalidPaymentSettingsError) as refused:
        parse_rail_table(text)

    assert field == refused.value.field


def test_rail_table_that_ships_names_its_sources_and_covers_the_order() -> None:
    """Every figure says where it is from, and every rail that is tried has an entry."""
    table = rail_table()

    assert all(each.source for each in table.entries)
    assert set(table.order) < {each.rail for each in table.entries} == set(RAILS)


def test_bank_list_that_ships_is_unverified_and_well_formed() -> None:
    """The list came from public copies, so no row claims to be checked."""
    banks = bank_list()

    assert 37 == len(banks)
    assert not any(each.verified for each in banks.values())
    assert ("CENAIDJA", "yes") == (banks["014"].bic, banks["014"].bifast)
    assert ("", "unknown") == (banks["137"].bic, banks["137"].bifast)


HEADER = "code,name,bic,clearing_code,bifast,verified,source\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "line 1, header"),
        ("code,name\n", "line 1, header"),
        (HEADER + "14,BCA,,,yes,no,x\n", "line 2, code: must be three digits"),
        (HEADER + "014,,,,yes,no,x\n", "line 2, name"),
        (HEADER + "014,BCA,CENA,,yes,no,x\n", "line 2, bic"),
        (HEADER + "014,BCA,,1234,yes,no,x\n", "line 2, clearing_code"),
        (HEADER + "014,BCA,,,ya,no,x\n", "line 2, bifast"),
        (HEADER + "014,BCA,,,yes,,x\n", "line 2, verified"),
        (HEADER + "014,BCA,,,yes,no\n", "has 6 columns, not 7"),
        (HEADER + "014,BCA,,,yes,no,x\n014,BCA,,,yes,no,x\n", "line 3, code: 014 stands twice"),
        (HEADER + '014,"BCA" x,,,yes,no,x\n', "not CSV"),
    ],
)
def test_bank_list_that_breaks_a_rule_is_refused_with_line_and_column(text: str, told: str) -> None:
    """An operator's list is checked whole."""
    with pytest.raises(InvalidPaymentSettingsError) as refused:
        parse_banks(text)

    assert told in str(refused.value)
