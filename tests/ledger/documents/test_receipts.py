"""Money that came in, and what the bank took: rows 19, 22, 23, 24 and 26, in both books."""

from __future__ import annotations

from typing import Any

from ledger.documents.receipts import BookBankFee, BookReceipt, ReceiptLine
from tests.builders import CASH, RK_PPKD, RK_SKPD, SAL, SKPD, TODAY
from tests.ledger.documents.office import LINE, LINE_PPKD, Office

OPENING = 100_000_000_000
PKB = ReceiptLine("7.1.01.01.01.0001", "4.1.01.01.01.0001", "1500.00")
GIRO_LO, GIRO_LRA = "7.1.04.05.01.0001", "4.1.04.05.01.0001"
DAU_LO, DAU_LRA = "7.2.01.01.01.0001", "4.2.01.01.01.0001"


def receipt(kind: str, *lines: ReceiptLine, **changes: Any) -> BookReceipt:
    """A receipt of this kind, on today."""
    return BookReceipt("penerimaan", f"STS/{kind}", kind, TODAY, lines, **changes)


def test_tax_direct_to_the_rkud_goes_through_its_skpd(office: Office) -> None:
    """Row 19: cash against RK SKPD, RK PPKD against revenue, SAL against LRA."""
    office.do(
        receipt(
            "tax",
            PKB,
            ReceiptLine("7.1.01.01.01.0002", "4.1.01.01.01.0002", "500.00"),
            skpd=SKPD,
            document_no="STS-1",
            bank_reference="STS000001",
        )
    )

    assert (OPENING + 2000_00, 0) == office.cash()
    assert -2000_00 == office.balance(RK_SKPD)
    assert 2000_00 == office.balance(RK_PPKD, entity=SKPD)
    assert -1500_00 == office.balance("7.1.01.01.01.0001", entity=SKPD)
    assert -500_00 == office.balance("4.1.01.01.01.0002", entity=SKPD, book="BUD")
    assert 2000_00 == office.balance(SAL, entity=SKPD, book="BUD")
    assert 1 == office.scalar(
        "SELECT count(*) FROM journal_line WHERE government = :government"
        " AND payment_reference = 'STS000001' AND account = :cash",
        cash=CASH,
    )
    assert [] == office.findings()


def test_transfer_and_interest_stand_in_the_ppkd(office: Office) -> None:
    """Rows 22 and 23: revenue of the PPKD in both books, without reciprocals."""
    office.do(receipt("transfer", ReceiptLine(DAU_LO, DAU_LRA, "1000000.00")))
    office.do(receipt("interest", ReceiptLine(GIRO_LO, GIRO_LRA, "12.34")))

    assert (OPENING + 1_000_012_34, 0) == office.cash()
    assert -1_000_000_00 == office.balance(DAU_LO)
    assert -12_34 == office.balance(GIRO_LRA, book="BUD")
    assert 0 == office.balance(RK_SKPD)
    assert [] == office.findings()


def test_unidentified_credit_is_a_liability_at_once(office: Office) -> None:
    """Row 26: nothing in the budget book until it is identified."""
    office.do(receipt("unidentified", ReceiptLine("", "", "777.00")))

    assert -777_00 == office.balance("2.1.07.98.01.0001")
    assert 0 == office.balance(SAL, book="BUD")
    assert [] == office.findings()


def test_bank_fee_is_a_claim_or_a_budgeted_expense(office: Office) -> None:
    """Row 24: without a budget line a claim on the bank, with one an expense of the PPKD."""
    office.do(BookBankFee("penerimaan", "FEE/1", TODAY, "6500.00"))
    office.do(
        BookBankFee(
            "penerimaan",
            "FEE/2",
            TODAY,
            "100.00",
            budget_line=LINE_PPKD,
            expense_account="8.1.02.02.01.0003",
        )
    )

    assert 6_500_00 == office.balance("1.1.09.99.01.0001")
    assert 100_00 == office.balance("8.1.02.02.01.0003")
    assert (1_000_000_00, 0, 100_00) == office.line(LINE_PPKD)
    assert (OPENING - 6_600_00, 0) == office.cash()
    assert [] == office.findings()


def test_bank_fee_beyond_the_cash_is_booked_and_widens_the_floor(office: Office) -> None:
    """A fact is never refused: what the bank took stands, and is listed."""
    office.do(BookBankFee("penerimaan", "FEE/1", TODAY, "1000000001.00"))

    assert (-1_00, 0) == office.cash()
    assert -1_00 == office.scalar(
        "SELECT floor_sen FROM account_balance"
        " WHERE government = :government AND bank_account <> ''"
    )
    assert [] == office.findings()


def test_receipt_with_wrong_accounts_or_person_is_refused(on_issue: Office) -> None:
    """Each kind has its accounts; only a receipts officer books it."""
    line = ReceiptLine(GIRO_LO, GIRO_LRA, "1.00")
    cases: list[tuple[BookReceipt | BookBankFee, str, str]] = [
        (receipt("gift", line), "invalid_field", "kind"),
        (receipt("tax", PKB), "invalid_field", "skpd"),
        (receipt("interest", line, skpd=SKPD), "invalid_field", "skpd"),
        (receipt("interest", PKB), "invalid_field", "lines[0].lo_account"),
        (
            receipt("interest", ReceiptLine(GIRO_LO, DAU_LRA, "1.00")),
            "invalid_field",
            "lines[0].lra_account",
        ),
        (receipt("unidentified", line), "invalid_field", "lines[0].lo_account"),
        (receipt("interest"), "invalid_field", "lines"),
        (
            receipt("interest", ReceiptLine(GIRO_LO, GIRO_LRA, "0.00")),
            "invalid_field",
            "lines[0].amount",
        ),
        (
            BookBankFee("penerimaan", "F", TODAY, "1.00", budget_line=LINE),
            "invalid_field",
            "expense_account",
        ),
    ]
    for command, code, field in cases:
        refused = on_issue.refused(command)

        assert (code, field) == (refused[0], refused[1]["field"])
    wrong = BookReceipt("kuasa", "STS/1", "interest", TODAY, [line])
    assert "not_granted" == on_issue.refused(wrong)[0]
    other = receipt("interest", line, bank_account="137:9999999999")
    assert "unknown_bank_account" == on_issue.refused(other)[0]
    tomorrow = BookReceipt("penerimaan", "STS/1", "interest", "2026-11-22", [line])
    assert "future_effective_date" == on_issue.refused(tomorrow)[0]


def test_receipt_sent_twice_is_the_first_one(on_issue: Office) -> None:
    """A reference names one receipt for ever; the same again is replayed."""
    command = receipt("interest", ReceiptLine(GIRO_LO, GIRO_LRA, "12.34"))
    first = on_issue.do(command)
    again = on_issue.do(command)

    assert (first["journal"], False, True) == (
        again["journal"],
        first["replayed"],
        again["replayed"],
    )
