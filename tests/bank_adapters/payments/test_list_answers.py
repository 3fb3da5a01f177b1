"""A report on a list's file: outcomes that may be recorded, or the whole report turned away."""

from __future__ import annotations

import pytest

from bank_adapters.payments.errors import ContradictoryReportError, ForeignReportError
from bank_adapters.payments.list_answers import list_outcomes
from bank_adapters.payments.pain002_xml import read_pain002
from tests.bank_adapters.payments.test_pain002 import SENT, pmt, report, tx


def outcomes(text: str) -> dict[str, tuple[str, str]]:
    """Meaning and status by reference."""
    found, _ = list_outcomes(read_pain002([text.encode()]), SENT)
    return {each.payment: (each.meaning, each.status) for each in found}


def why(*codes: str) -> str:
    """Reasons of a level."""
    return "".join(f"<StsRsnInf><Rsn><Cd>{code}</Cd></Rsn></StsRsnInf>" for code in codes)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (report(group="RJCT"), dict.fromkeys(("R1", "R2", "R3"), ("refused", "RJCT"))),
        (
            report(pmt("PMT-A", "ACSC"), pmt("PMT-B", "ACSP"), group="PART"),
            {"R1": ("done", "ACSC"), "R2": ("done", "ACSC"), "R3": ("pending", "ACSP")},
        ),
        (
            report(pmt("PMT-A", "", tx("R1", "ACTC"), tx("R2", "RJCT", extra=why("AC04")))),
            {"R1": ("pending", "ACTC"), "R2": ("refused", "RJCT")},
        ),
        (report(pmt("PMT-A", "", tx("R1", "XXXX"))), {"R1": ("unknown", "XXXX")}),
    ],
)
def test_every_level_gives_outcomes(text: str, expected: dict[str, tuple[str, str]]) -> None:
    """Only ACSC is done; a word that isn't the standard's is nothing known."""
    assert expected == outcomes(text)


@pytest.mark.parametrize("code", ["AM05", "DU01", "DU04"])
@pytest.mark.parametrize("level", ["group", "payment", "transaction"])
def test_rejection_of_what_the_bank_holds_already_is_no_rejection(code: str, level: str) -> None:
    """A file that was handed over twice is rejected as a duplicate while its first copy is paid."""
    texts = {
        "group": report(group="RJCT", extra=why(code)),
        "payment": report(
            pmt("PMT-A", "RJCT", tx("R1", "RJCT", extra=why("NARR")), extra=why(code))
        ),
        "transaction": report(pmt("PMT-A", "", tx("R1", "RJCT", extra=why("NARR", code)))),
    }
    assert {("duplicate", "RJCT")} == set(outcomes(texts[level]).values())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (report(pmt("PMT-A", "", tx("R1", "ACSC", amount="100.01"))), "100.00 was sent"),
        (report(pmt("PMT-A", "", tx("R9", "ACSC"))), "'R9' is not of this message"),
        (report(pmt("PMT-B", "", tx("R1", "ACSC"))), "sent in another block"),
        (report(pmt("PMT-X", "ACSC")), "'PMT-X' is not of this message"),
        (report(pmt("PMT-A", "RJCT", tx("R1", "ACSC"))), "R1: ACSC"),
        (report(pmt("PMT-A", "", tx("R1", "ACSC"), tx("R1", "ACSP"))), "as ACSC and as ACSP"),
        (report(pmt("PMT-A", "", tx("", "ACSC"))), "names no order"),
        (
            report(
                pmt("PMT-A", "", tx("R1", "ACSC"), extra="<OrgnlCtrlSum>1.00</OrgnlCtrlSum>"),
            ),
            "300.00 was sent",
        ),
        (
            report(pmt("PMT-A", "", tx("R1", "ACSC")), extra="<OrgnlNbOfTxs>4</OrgnlNbOfTxs>"),
            "3 were sent",
        ),
    ],
)
def test_report_that_contradicts_itself_or_what_was_sent_is_turned_away(
    text: str, told: str
) -> None:
    """As a whole, with what it says."""
    with pytest.raises(ContradictoryReportError, match=told):
        outcomes(text)


def test_report_of_another_message_is_turned_away() -> None:
    """It is never read against this one."""
    with pytest.raises(ForeignReportError):
        outcomes(report(group="RJCT", message="MSG-2"))
