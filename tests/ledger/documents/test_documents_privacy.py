"""Erasing a payee, and another government's documents."""

from __future__ import annotations

import pytest

from api.engine import reading
from ledger.documents.advice_list import DraftAdviceList, advice_list_file
from ledger.documents.bank_outcomes import RecordPayment
from ledger.documents.errors import TextErasedError
from ledger.documents.sp2d import DraftSp2d, RequestCancelSp2d
from ledger.documents.spm import AcceptSpm
from ledger.opening import ADMIN_1, ADMIN_2, RECONCILER
from ledger.privacy import ErasePayee
from ledger.proposals import BothHands
from tests.builders import TODAY
from tests.ledger.documents.office import EVIDENCE, Office


def test_payee_erased_leaves_books_and_log_clean(on_issue: Office) -> None:
    """Every hash stays as it was; only what would show the payee can't be made any more."""
    issued = on_issue.issue(on_issue.with_tax())
    made = on_issue.list_payments()
    on_issue.outcome(issued["payments"][0], "paid")
    subject = str(
        on_issue.scalar(
            "SELECT subject FROM payee WHERE government = :government AND document_id = :id",
            id=issued["document"],
        )
    )
    on_issue.do(BothHands(ADMIN_1, ADMIN_2, ErasePayee(subject, "Permintaan yang bersangkutan")))

    assert [] == on_issue.findings()
    with reading(on_issue.engine) as conn, pytest.raises(TextErasedError):
        advice_list_file(conn, on_issue.government, made)


def test_payment_of_an_erased_payee_is_not_listed(on_issue: Office) -> None:
    """Nobody can be paid whose name and account are gone."""
    issued = on_issue.issue()
    subject = str(
        on_issue.scalar(
            "SELECT subject FROM payee WHERE government = :government AND document_id = :id",
            id=issued["document"],
        )
    )
    on_issue.do(BothHands(ADMIN_1, ADMIN_2, ErasePayee(subject, "Permintaan")))

    assert "text_erased" == on_issue.refused(DraftAdviceList("maker"))[0]


def test_documents_of_another_government_are_not_there(on_issue: Office) -> None:
    """A document, its SPM and its payments exist in their own government's name only."""
    issued = on_issue.issue()
    other = Office(on_issue.engine, "36.72")
    for command, code in (
        (RequestCancelSp2d("maker", issued["document"], "x"), "unknown_document"),
        (DraftSp2d("maker", "spm-2026-00000001"), "unknown_document"),
        (AcceptSpm("maker", "spm-2026-00000001"), "unknown_document"),
        (
            RecordPayment(RECONCILER, issued["payments"][0], "paid", TODAY, EVIDENCE),
            "unknown_payment",
        ),
    ):
        assert code == other.refused(command)[0]
