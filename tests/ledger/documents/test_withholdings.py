"""The arithmetic of an order and its waterfall, numbers, and the table of moves: pure."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.documents.advice_file import file_bytes
from ledger.documents.content import AdviceRow, Content, Deduction, Payee, SpendingLine
from ledger.documents.errors import NumberFormatError, TotalsMismatchError
from ledger.documents.journals import BudgetCode, order_lines, retur_lines
from ledger.documents.moves import MOVES, allowed_moves
from ledger.documents.numbers import (
    advice_number,
    document_id,
    payment_reference,
    returned_reference,
    sp2d_number,
)
from ledger.documents.withholdings import Part, check_totals, part_of, whole
from ledger.money import sen_text
from ledger.roles import ROLES

#: Amounts that add up to the same total, cut in two ways.
amounts = st.lists(st.integers(1, 10**12), min_size=1, max_size=12)


@st.composite
def orders(draw: st.DrawFn) -> tuple[list[int], list[int], list[tuple[int, int]]]:
    """Lines, deductions, and payees as (gross, deducted), which all add up."""
    lines = draw(amounts)
    gross = sum(lines)
    cuts = sorted(draw(st.sets(st.integers(1, gross - 1), max_size=8))) if gross > 1 else []
    shares = [b - a for a, b in zip([0, *cuts], [*cuts, gross], strict=True)]
    deducted = [draw(st.integers(0, share - 1)) if share > 1 else 0 for share in shares]
    total = sum(deducted)
    cuts = sorted(draw(st.sets(st.integers(1, total - 1), max_size=4))) if total > 1 else []
    deductions = [b - a for a, b in zip([0, *cuts], [*cuts, total], strict=True)] if total else []
    return lines, deductions, list(zip(shares, deducted, strict=True))


@given(orders())
def test_parts_of_all_payees_are_the_whole(
    order: tuple[list[int], list[int], list[tuple[int, int]]],
) -> None:
    """Each payee gets exactly its gross and deductions, and together they use up every line."""
    lines, deductions, payees = order
    by_line: Counter[int] = Counter()
    by_deduction: Counter[int] = Counter()
    gross_before = deducted_before = 0
    for gross, deducted in payees:
        part = part_of(
            lines,
            deductions,
            gross=(gross_before, gross),
            deducted=(deducted_before, deducted),
        )
        assert gross == part.gross_sen
        assert gross - deducted == part.net_sen
        assert all(sen > 0 for _, sen in (*part.lines, *part.deductions))
        by_line.update(dict(part.lines))
        by_deduction.update(dict(part.deductions))
        gross_before += gross
        deducted_before += deducted

    assert dict(whole(lines, deductions).lines) == by_line
    assert dict(whole(lines, deductions).deductions) == by_deduction


@given(orders(), st.booleans())
def test_journal_of_any_part_balances_per_entity_and_book(
    order: tuple[list[int], list[int], list[tuple[int, int]]], of_ppkd: bool
) -> None:
    """Whatever falls to a payee, debits equal credits in each entity and book, and RK mirrors."""
    lines, deductions, payees = order
    gross, deducted = payees[0]
    part = part_of(lines, deductions, gross=(0, gross), deducted=(0, deducted))
    skpd = "PPKD" if of_ppkd else "1.02"
    made = order_lines(
        skpd=skpd,
        lines=[SpendingLine(f"L{n}", "8.1", sen_text(sen)) for n, sen in enumerate(lines)],
        deduction_accounts=["2.1.01"] * len(deductions),
        part=part,
        cash=[("P26-00000001", gross - deducted)],
        cash_account="1.1.01.01.01.0001",
        bank_account="137:0000000000",
        budget={f"L{n}": BudgetCode("5.1", "1.1") for n in range(len(lines))},
    )
    sums: Counter[tuple[str, str]] = Counter()
    mirrored = 0
    for line in made:
        sums[line.entity, line.book] += line.amount_sen
        mirrored += line.amount_sen if line.counterpart else 0

    assert {0} == set(sums.values())
    assert 0 == mirrored
    assert gross == sum(line.amount_sen for line in made if line.budget_line)


def test_retur_lines_are_each_others_mirror() -> None:
    """What comes back and what is paid again cancel out."""
    back = retur_lines(
        5, into_cash=True, cash_account="c", bank_account="b", reference="P26-00000001R"
    )
    again = retur_lines(
        5, into_cash=False, cash_account="c", bank_account="b", reference="P26-00000002"
    )

    assert [5, -5] == [line.amount_sen for line in back]
    assert [-5, 5] == [line.amount_sen for line in again]


def content(
    lines: list[int], deductions: list[tuple[int, bool]], payees: list[tuple[int, int]]
) -> Content:
    """An order of these sums in sen."""
    return Content(
        version=1,
        kind="spm",
        origin="own",
        fiscal_year=2026,
        skpd="1.02",
        payment_kind="LS_GOODS",
        bank_account="",
        dated_on="2026-11-20",
        external_number="1",
        parent="",
        parent_revision="",
        purpose="",
        evidence_sha256="",
        claims=(),
        lines=tuple(SpendingLine("L", "8.1", sen_text(sen)) for sen in lines),
        deductions=tuple(
            Deduction("2.1.01", sen_text(sen), reduces, "") for sen, reduces in deductions
        ),
        payees=tuple(
            Payee("s", "n", "137", "a", "", sen_text(gross), sen_text(deducted))
            for gross, deducted in payees
        ),
    )


def test_totals_leave_out_deductions_for_information() -> None:
    """Block 2 of the withholdings does not reduce the payment."""
    check_totals(content([100], [(10, True), (90, False)], [(60, 10), (40, 0)]))


@pytest.mark.parametrize(
    ("order", "what"),
    [
        (content([100], [(101, True)], [(100, 0)]), "deductions over gross"),
        (content([100], [], [(99, 0)]), "gross of the payees"),
        (content([100], [(10, True)], [(100, 9)]), "deductions of the payees"),
        (content([100], [(60, True)], [(50, 50), (50, 10)]), "net of payee 1"),
    ],
)
def test_totals_that_differ_are_named(order: Content, what: str) -> None:
    """C06 says which sum is not what."""
    with pytest.raises(TotalsMismatchError) as refused:
        check_totals(order)

    assert what == refused.value.values["what"]


def test_empty_part_is_nothing() -> None:
    """A payee of nothing takes nothing."""
    assert Part((), ()) == part_of([5, 5], [1], gross=(3, 0), deducted=(0, 0))


# --- numbers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("government", "origin", "expected"),
    [
        ("36", "own", "36.00/04.0/000012/LS/1.02/P.01/3/2026"),
        ("36.72", "own", "36.72/04.0/000012/LS/1.02/P.01/3/2026"),
        ("36", "continuity", "36.00/04.0/900012/LS/1.02/P.01/3/2026"),
    ],
)
def test_sp2d_number_is_printed_by_its_pattern(government: str, origin: str, expected: str) -> None:
    """Region, serial, kind, SKPD, month and year stand where the pattern puts them."""
    assert expected == sp2d_number(
        pattern="",
        government=government,
        origin=origin,
        serial=12,
        payment_kind="LS_GOODS",
        skpd="1.02",
        issued_on="2026-03-05",
    )


def test_sp2d_number_pattern_without_serial_is_refused() -> None:
    """Two documents would get one number."""
    with pytest.raises(NumberFormatError):
        sp2d_number(
            pattern="SP2D/{year}",
            government="36",
            origin="own",
            serial=1,
            payment_kind="LS_GOODS",
            skpd="1.02",
            issued_on="2026-03-05",
        )


def test_references_fit_the_field_of_a_statement() -> None:
    """A :61: of MT940 takes 16 characters, also for a payment that came back."""
    assert "P26-00000123" == payment_reference(2026, 123)
    assert len(returned_reference(payment_reference(2026, 99_999_999))) <= 16
    assert "sp2d-2026-00000007" == document_id("sp2d", 2026, 7)
    assert "DP/36/000007/2026" == advice_number("36", 2026, 7)


# --- the table of moves --------------------------------------------------------------------------


def test_moves_name_known_roles_and_reachable_states() -> None:
    """Each move has roles that exist, and starts from a new document or another move's end."""
    for move in MOVES:
        ends = {m.target for m in MOVES if m.kind == move.kind}

        assert set(move.roles) <= set(ROLES)
        assert set(move.sources) <= ends | {""}


def test_moves_that_a_hand_signs_have_one_role() -> None:
    """An officer's statement names the role, so there is no choice of it."""
    assert {1} == {len(move.roles) for move in MOVES if move.signs}


def test_moves_of_a_state_do_not_clash() -> None:
    """One name leads one way from one state and origin."""
    seen = Counter(
        (move.kind, move.name, source, origin)
        for move in MOVES
        for source in move.sources
        for origin in move.origins
    )

    assert {1} == set(seen.values())
    assert ["verify", "discard"] == allowed_moves("sp2d", "drafted", "own")
    assert [] == allowed_moves("sp2d", "cancelled", "own")


# --- the file for the bank -----------------------------------------------------------------------


def test_advice_file_bytes_are_pinned() -> None:
    """The bank's reader and the signatures rest on these very bytes."""
    row = AdviceRow(
        "P26-00000001",
        "sp2d-2026-00000001",
        "36.00/04.0/000001/LS/1.02/P.01/11/2026",
        "2026-11-21",
        "1.02",
        "c1",
        "137",
        "c2",
        "100.00",
        "10.00",
        "90.00",
    )

    assert (
        b'{"advice_list":"DP/36/000001/2026","bank_account":"137:0000000000","count":1,'
        b'"currency":"IDR","dated_on":"2026-11-21","government":"36","rows":[{"deduction":"10.00",'
        b'"gross":"100.00","net":"90.00","no":1,"payee_account":"1000001","payee_bank_code":"137",'
        b'"payee_name":"CV Maju","payment_reference":"P26-00000001","skpd":"1.02",'
        b'"sp2d_date":"2026-11-21","sp2d_number":"36.00/04.0/000001/LS/1.02/P.01/11/2026",'
        b'"transfer_on":"2026-11-22"}],"salt":"ab","total_deduction":"10.00",'
        b'"total_gross":"100.00","total_net":"90.00","transfer_on":"2026-11-22","version":1}'
    ) == file_bytes(
        government="36",
        number="DP/36/000001/2026",
        bank_account="137:0000000000",
        dated_on="2026-11-21",
        transfer_on="2026-11-22",
        salt="ab",
        rows=[row],
        texts={"c1": "CV Maju", "c2": "1000001"},
    )
