"""Every refusal by name, with nothing changed: each case compares all rows before and after."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from ledger.documents.advice_list import (
    DraftAdviceList,
    SendAdviceList,
    SignAdviceList,
    VerifyAdviceList,
)
from ledger.documents.bank_outcomes import RecordPayment, ResendPayment
from ledger.documents.bodies import (
    ClaimBody,
    DeductionBody,
    PayeeBody,
    SpendingLineBody,
    parse_spm,
)
from ledger.documents.sp2d import (
    CancelSp2d,
    DraftSp2d,
    ImportSp2d,
    LinkSp2d,
    RequestCancelSp2d,
    SignSp2d,
    VerifySp2d,
)
from ledger.documents.spm import AcceptSpm, RefuseSpm, RegisterSpm, ReturnSpm, SignSpm
from ledger.errors import InvalidFieldError, MalformedJsonError
from ledger.officer_keys import RevokeOfficerKey
from ledger.opening import ADMIN_1, ADMIN_2, RECONCILER
from ledger.periods import SealPeriod
from ledger.persons_shell import EndGrant, GiveGrant
from ledger.proposals import BothHands
from tests.builders import SKPD, TODAY
from tests.ledger.documents.office import EVIDENCE, EXPENSE, LINE, LINE_PPKD, PPN, Office

PAYEE = PayeeBody("CV Maju", "137", "1000001", "1000.00")

#: What is wrong with an SPM's text -> (changes, code, values it must name).
MALFORMED: dict[str, tuple[dict[str, Any], str, dict[str, object]]] = {
    "kind not supported": (
        {"payment_kind": "UP"},
        "payment_kind_not_supported",
        {"payment_kind": "UP"},
    ),
    "no number": ({"number": ""}, "invalid_field", {"field": "number"}),
    "no such day": ({"dated_on": "2026-02-30"}, "invalid_field", {"field": "dated_on"}),
    "after today": ({"dated_on": "2026-11-22"}, "spm_out_of_date", {"today": TODAY}),
    "year not open": ({"dated_on": "2024-05-05"}, "fiscal_year_not_open", {"fiscal_year": 2024}),
    "unknown skpd": ({"skpd": "9.99"}, "invalid_field", {"field": "skpd"}),
    "ppkd kind of an skpd": ({"payment_kind": "LS_PPKD"}, "invalid_field", {"field": "skpd"}),
    "no purpose": ({"purpose": ""}, "invalid_field", {"field": "purpose"}),
    "control character": ({"purpose": "a\x1b[2J"}, "invalid_field", {"field": "purpose"}),
    "unknown origin": ({"origin": "fax"}, "invalid_field", {"field": "origin"}),
    "sipd without evidence": (
        {"origin": "sipd"},
        "invalid_field",
        {"field": "evidence_sha256"},
    ),
    "evidence of an own spm": (
        {"evidence_sha256": EVIDENCE},
        "invalid_field",
        {"field": "evidence_sha256"},
    ),
    "no lines": ({"lines": []}, "invalid_field", {"field": "lines"}),
    "no payees": ({"payees": []}, "invalid_field", {"field": "payees"}),
    "float amount": (
        {"lines": [SpendingLineBody(LINE, EXPENSE, "1e3")]},
        "invalid_field",
        {"field": "lines[0].amount"},
    ),
    "negative amount": (
        {"lines": [SpendingLineBody(LINE, EXPENSE, "-5.00")]},
        "invalid_field",
        {"field": "lines[0].amount"},
    ),
    "unknown line": (
        {"lines": [SpendingLineBody("BL-9", EXPENSE, "1000.00")]},
        "unknown_budget_line",
        {"budget_line": "BL-9"},
    ),
    "line of another skpd": (
        {"lines": [SpendingLineBody(LINE_PPKD, EXPENSE, "1000.00")]},
        "invalid_field",
        {"field": "lines[0].budget_line"},
    ),
    "expense on cash": (
        {"lines": [SpendingLineBody(LINE, "1.1.01.01.01.0001", "1000.00")]},
        "invalid_field",
        {"field": "lines[0].expense_account"},
    ),
    "unknown account": (
        {"lines": [SpendingLineBody(LINE, "8.9.99.99.99.9999", "1000.00")]},
        "unknown_account",
        {"account": "8.9.99.99.99.9999"},
    ),
    "account above level 6": (
        {"lines": [SpendingLineBody(LINE, "8.1.02.01", "1000.00")]},
        "account_not_postable",
        {"account": "8.1.02.01"},
    ),
    "deduction that is no withholding": (
        {"deductions": [DeductionBody("4.1.04.11.01.0001", "1.00")]},
        "invalid_field",
        {"field": "deductions[0].account"},
    ),
    "billing of 3 digits": (
        {"deductions": [DeductionBody(PPN, "1.00", billing_id="123")]},
        "invalid_field",
        {"field": "deductions[0].billing_id"},
    ),
    "payees of another sum": (
        {"payees": [PayeeBody("CV Maju", "137", "1000001", "999.00")]},
        "totals_mismatch",
        {"expected": "1000.00", "actual": "999.00"},
    ),
    "deduction that no payee bears": (
        {"deductions": [DeductionBody(PPN, "10.00")]},
        "totals_mismatch",
        {"what": "deductions of the payees", "expected": "10.00", "actual": "0.00"},
    ),
    "payee who gets nothing": (
        {
            "deductions": [DeductionBody(PPN, "1000.00")],
            "payees": [PayeeBody("CV Maju", "137", "1000001", "1000.00", "1000.00")],
        },
        "totals_mismatch",
        {"what": "net of payee 1", "actual": "0.00"},
    ),
    "deductions over the gross": (
        {"deductions": [DeductionBody(PPN, "1000.01")]},
        "totals_mismatch",
        {"what": "deductions over gross"},
    ),
    "blank name": (
        {"payees": [PayeeBody("  ", "137", "1000001", "1000.00")]},
        "invalid_field",
        {"field": "payees[0].name"},
    ),
    "bank code of letters": (
        {"payees": [PayeeBody("CV Maju", "BNI", "1000001", "1000.00")]},
        "invalid_field",
        {"field": "payees[0].bank_code"},
    ),
    "short account": (
        {"payees": [PayeeBody("CV Maju", "137", "12345", "1000.00")]},
        "invalid_field",
        {"field": "payees[0].account"},
    ),
    "npwp of 3 digits": (
        {"payees": [PayeeBody("CV Maju", "137", "1000001", "1000.00", npwp="123")]},
        "invalid_field",
        {"field": "payees[0].npwp"},
    ),
}


def named(refusal: tuple[str, dict[str, object]], code: str, **values: object) -> None:
    """The refusal has this code and names these values."""
    assert (code, values) == (refusal[0], {name: refusal[1].get(name) for name in values})


def test_spm_with_a_malformed_text_is_refused_by_name(on_issue: Office) -> None:
    """Each rule of the text has its own refusal, which names the field and the value."""
    for what, (changes, code, values) in MALFORMED.items():
        body = on_issue.spm_body("1000.00", **changes)
        refused = on_issue.refused(RegisterSpm("maker", body))

        assert (what, code, values) == (
            what,
            refused[0],
            {name: refused[1].get(name) for name in values},
        )


@pytest.mark.parametrize("data", [b"{", b"[" * 100_000, b""])
def test_spm_that_is_no_json_is_refused_as_such(data: bytes) -> None:
    """Cut off, nested without end, or nothing at all."""
    with pytest.raises(MalformedJsonError):
        parse_spm(data)


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (b"[]", "body"),
        (b'{"number": 5}', "number"),
        (b'{"number": "1", "surprise": true}', "body"),
    ],
)
def test_spm_json_of_another_shape_is_refused_with_its_place(data: bytes, field: str) -> None:
    """What is not an SPM's JSON never reaches the rules."""
    with pytest.raises(InvalidFieldError) as refused:
        parse_spm(data)

    assert field == refused.value.values["field"]


def test_spm_json_is_read_as_sent() -> None:
    """A well-formed body comes out as it went in."""
    body = {
        "number": "SPM-1",
        "dated_on": "2026-11-20",
        "skpd": SKPD,
        "payment_kind": "LS_GOODS",
        "purpose": "ATK",
        "lines": [{"budget_line": LINE, "expense_account": EXPENSE, "amount": "1.00"}],
        "payees": [{"name": "A", "bank_code": "137", "account": "1000001", "gross": "1.00"}],
    }

    assert body == {
        name: value
        for name, value in msgspec.to_builtins(parse_spm(json.dumps(body).encode())).items()
        if name in body and name != "payees"
    } | {"payees": body["payees"]}


def test_spm_over_ceiling_or_release_is_refused_at_acceptance(office: Office) -> None:
    """The last rupiah is there, one sen more is not; the refusal says what is left."""
    over = office.register(
        office.spm_body("1000000.01", lines=[SpendingLineBody(LINE, EXPENSE, "1000000.01")])
    )
    envelope = office.sign("pa", over, "spm.sign")
    named(
        office.refused(AcceptSpm("maker", over, "pa", envelope)),
        "over_ceiling",
        budget_line=LINE,
        remaining="1000000.00",
        asked="1000000.01",
    )
    fits = office.register(office.spm_body("800000.00"))
    beyond = office.register(office.spm_body("0.01"))
    office.do(AcceptSpm("maker", fits, "pa", office.sign("pa", fits, "spm.sign")))
    named(
        office.refused(AcceptSpm("maker", beyond, "pa", office.sign("pa", beyond, "spm.sign"))),
        "over_release",
        remaining="0.00",
        asked="0.01",
    )


def test_sp2d_over_cash_is_refused_at_verification_and_at_signing(office: Office) -> None:
    """Room in the budget is no money: what other SP2Ds took from the RKUD counts."""
    office.load_usual(ceiling=300_000_000_000, released=300_000_000_000)
    over = office.draft(amount="1000000000.01")
    named(
        office.refused(VerifySp2d("verifier", over, office.sign("verifier", over, "sp2d.verify"))),
        "over_cash",
        available="1000000000.00",
        asked="1000000000.01",
    )
    first = office.verify(amount="600000000.00")
    second = office.verify(amount="600000000.00")
    office.do(SignSp2d("kuasa", first, office.sign("kuasa", first, "sp2d.sign")))
    named(
        office.refused(SignSp2d("kuasa", second, office.sign("kuasa", second, "sp2d.sign"))),
        "over_cash",
        available="400000000.00",
        asked="600000000.00",
    )


def test_hands_without_a_grant_are_refused(on_issue: Office) -> None:
    """Every move asks for its role, on that day, for that SKPD."""
    spm = on_issue.register()
    cases = [
        (RegisterSpm("kuasa", on_issue.spm_body()), "budget_user"),
        (RegisterSpm("pa-ppkd", on_issue.spm_body()), "budget_user"),
        (SignSpm("maker", spm, b"{}"), "budget_user"),
        (RefuseSpm("maker", spm, ["x"]), "sp2d_verifier"),
    ]
    for command, role in cases:
        named(on_issue.refused(command), "not_granted", role=role)
    named(on_issue.refused(RegisterSpm("hantu", on_issue.spm_body())), "unknown_person")
    sp2d = on_issue.draft()
    named(on_issue.refused(VerifySp2d("maker-2", sp2d, b"{}")), "not_granted")
    named(on_issue.refused(ReturnSpm("verifier", on_issue.accept(), "x")), "not_granted")
    named(on_issue.refused(RecordPayment("maker", "P", "paid", TODAY, EVIDENCE)), "not_granted")
    on_issue.do(
        BothHands(
            ADMIN_1,
            ADMIN_2,
            EndGrant(
                str(
                    on_issue.scalar(
                        "SELECT id FROM grant_given WHERE government = :government"
                        " AND person_id = 'verifier'"
                    )
                ),
                TODAY,
            ),
        )
    )
    named(
        on_issue.refused(
            VerifySp2d("verifier", sp2d, on_issue.sign("verifier", sp2d, "sp2d.verify"))
        ),
        "not_granted",
        person="verifier",
        on=TODAY,
    )


def test_one_person_in_two_hands_is_refused(on_issue: Office) -> None:
    """Signer of the SPM, maker, verifier and signer are four persons, whatever their grants."""
    for person, role in (
        ("maker", "sp2d_verifier"),
        ("verifier", "deputy_treasurer"),
        ("pa", "sp2d_verifier"),
        ("pa", "deputy_treasurer"),
        ("pa", "sp2d_maker"),
    ):
        on_issue.do(BothHands(ADMIN_1, ADMIN_2, GiveGrant(person, role, "2026-01-01")))
    sp2d = on_issue.draft()
    for person, first in (("maker", "SP2D maker"), ("pa", "SPM signer")):
        envelope = on_issue.sign(person, sp2d, "sp2d.verify")
        named(
            on_issue.refused(VerifySp2d(person, sp2d, envelope)),
            "own_approval",
            person=person,
            first=first,
            second="SP2D verifier",
        )
    on_issue.do(VerifySp2d("verifier", sp2d, on_issue.sign("verifier", sp2d, "sp2d.verify")))
    for person, first in (("verifier", "SP2D verifier"), ("pa", "SPM signer")):
        envelope = on_issue.sign(person, sp2d, "sp2d.sign")
        named(
            on_issue.refused(SignSp2d(person, sp2d, envelope)),
            "own_approval",
            person=person,
            first=first,
        )
    spm = on_issue.register()
    named(
        on_issue.refused(AcceptSpm("pa", spm, "pa", on_issue.sign("pa", spm, "spm.sign"))),
        "own_approval",
        person="pa",
    )


def test_signatures_that_do_not_hold_are_refused(on_issue: Office) -> None:
    """Damaged, missing, another's, revoked, of another act, revision or amount, or used before."""
    sp2d = on_issue.draft()
    other = on_issue.draft()
    good = on_issue.sign("verifier", sp2d, "sp2d.verify")
    envelope = json.loads(good)
    damaged = json.loads(good)
    damaged["signatures"][0]["sig"] = "A" * 86 + "=="
    strange = json.loads(good)
    strange["signatures"][0]["keyid"] = "ed25519:" + "0" * 16

    def compact(value: object) -> bytes:
        return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()

    cases: list[tuple[bytes, str, dict[str, object]]] = [
        (b"", "envelope_required", {"act": "sp2d.verify"}),
        (b"{}", "signature_refused", {"reason": "malformed_envelope"}),
        (compact(damaged), "signature_refused", {"reason": "invalid_signature"}),
        (compact(strange), "signature_refused", {"reason": "unknown_officer_key"}),
        (
            on_issue.sign("kuasa", sp2d, "sp2d.verify", officer="verifier"),
            "signature_refused",
            {"reason": "another_officers_key"},
        ),
        (on_issue.sign("verifier", other, "sp2d.verify"), "statement_mismatch", {}),
        (
            on_issue.sign("verifier", sp2d, "sp2d.verify", act="sp2d.sign"),
            "statement_mismatch",
            {"member": "act"},
        ),
    ]
    changes: dict[str, Any] = {
        "origin": "rkud/99",
        "object": other,
        "revision": "0" * 64,
        "amount": "1.00",
        "decision": "refuse",
        "role": "deputy_treasurer",
        "officer": "kuasa",
        "key_id": "ed25519:" + "1" * 16,
        "line_totals": {LINE: "1.00"},
        "payees": ("0" * 64,),
    }
    cases += [
        (
            on_issue.sign("verifier", sp2d, "sp2d.verify", **{member: value}),
            "statement_mismatch",
            {"member": member},
        )
        for member, value in changes.items()
    ]
    assert compact(envelope) == good
    for signed, code, values in cases:
        named(on_issue.refused(VerifySp2d("verifier", sp2d, signed)), code, **values)


def test_statement_used_before_is_refused(on_issue: Office) -> None:
    """A nonce counts once, even on a document that a later revision made look the same."""
    sp2d = on_issue.draft()
    first = on_issue.sign("verifier", sp2d, "sp2d.verify", nonce="a" * 32)
    on_issue.do(VerifySp2d("verifier", sp2d, first))
    other = on_issue.draft()
    again = on_issue.sign("verifier", other, "sp2d.verify", nonce="a" * 32)

    named(on_issue.refused(VerifySp2d("verifier", other, again)), "nonce_used", nonce="a" * 32)


def test_signature_under_a_revoked_key_is_refused(on_issue: Office) -> None:
    """A key counts from its enrolment to its end."""
    sp2d = on_issue.draft()
    envelope = on_issue.sign("verifier", sp2d, "sp2d.verify")
    key = json.loads(envelope)["signatures"][0]["keyid"]
    on_issue.do(BothHands(ADMIN_1, ADMIN_2, RevokeOfficerKey(key, "verifier")))

    named(
        on_issue.refused(VerifySp2d("verifier", sp2d, envelope)),
        "signature_refused",
        reason="officer_key_revoked",
    )


def test_moves_that_the_table_does_not_have_are_refused(on_issue: Office) -> None:
    """A document goes only the ways of the table, and the refusal names them."""
    spm = on_issue.register()
    named(
        on_issue.refused(DraftSp2d("maker", spm)), "spm_not_accepted", spm=spm, state="registered"
    )
    named(
        on_issue.refused(AcceptSpm("maker", spm)),
        "document_move_not_allowed",
        state="registered",
        allowed=["sign", "refuse"],
    )
    issued = on_issue.issue()
    document = issued["document"]
    for command in (
        VerifySp2d("verifier", document, b"{}"),
        SignSp2d("kuasa", document, b"{}"),
        CancelSp2d("kuasa", document, "x"),
        LinkSp2d("maker", document, "X-1"),
    ):
        named(on_issue.refused(command), "document_move_not_allowed", document=document)
    named(on_issue.refused(SignSp2d("kuasa", "sp2d-2026-1", b"{}")), "unknown_document")
    named(on_issue.refused(DraftSp2d("maker", document)), "unknown_document", kind="spm")


def test_spm_is_used_once(on_issue: Office) -> None:
    """An SPM with an SP2D, even a cancelled one that was issued, gets no second one."""
    issued = on_issue.issue()
    spm = str(
        on_issue.scalar(
            "SELECT parent_id FROM document WHERE government = :government AND id = :id",
            id=issued["document"],
        )
    )
    named(on_issue.refused(DraftSp2d("maker", spm)), "spm_used", spm=spm, sp2d=issued["document"])
    named(on_issue.refused(ReturnSpm("kuasa", spm, "x")), "spm_used")
    on_issue.do(RequestCancelSp2d("maker", issued["document"], "Salah"))
    on_issue.do(CancelSp2d("kuasa", issued["document"], "Salah"))
    named(on_issue.refused(DraftSp2d("maker", spm)), "spm_used", spm=spm)


def test_spm_number_of_another_document_is_refused(on_issue: Office) -> None:
    """Foreign numbers are unique per kind and year."""
    spm = on_issue.register(on_issue.spm_body(number="SPM-7"))

    named(
        on_issue.refused(RegisterSpm("maker", on_issue.spm_body(number="SPM-7"))),
        "external_number_taken",
        number="SPM-7",
        document=spm,
    )


def test_sp2d_in_a_sealed_period_is_refused(on_issue: Office) -> None:
    """Nothing is issued into a sealed period."""
    on_issue.do(BothHands(ADMIN_1, ADMIN_2, GiveGrant("anggaran", "accountant", "2026-01-01")))
    sp2d = on_issue.verify()
    envelope = on_issue.sign("kuasa", sp2d, "sp2d.sign")
    for period in range(1, 12):
        on_issue.do(SealPeriod("anggaran", 2026, period), today="2026-12-01")

    named(
        on_issue.refused(SignSp2d("kuasa", sp2d, envelope)),
        "period_sealed",
        fiscal_year=2026,
        period=11,
    )


def test_spm_of_last_year_is_refused(on_issue: Office) -> None:
    """An order is of its own fiscal year."""
    spm = on_issue.register(on_issue.spm_body())
    envelope = on_issue.sign("pa", spm, "spm.sign")

    named(
        on_issue.refused(AcceptSpm("maker", spm, "pa", envelope), today="2027-01-02"),
        "fiscal_year_not_open",
    )


def test_own_spm_is_not_imported_and_sipd_spm_is_not_drafted(on_issue: Office) -> None:
    """Where a document was signed decides which moves it has."""
    claims = [ClaimBody("budget_user", "Ibu Sari")]
    own = on_issue.accept()
    named(
        on_issue.refused(ImportSp2d("maker", own, "X-1", TODAY, EVIDENCE, claims)),
        "document_move_not_allowed",
        move="import",
    )
    body = on_issue.spm_body(
        origin="sipd",
        evidence_sha256=EVIDENCE,
        claims=claims,
    )
    sipd = on_issue.register(body)
    on_issue.do(AcceptSpm("maker", sipd))
    named(on_issue.refused(DraftSp2d("maker", sipd)), "document_move_not_allowed", move="draft")


def test_advice_list_refuses_what_may_not_leave(on_issue: Office) -> None:
    """Nothing waiting, in another list, of a cancelled SP2D, another day or file, own hands."""
    named(on_issue.refused(DraftAdviceList("maker")), "nothing_to_pay")
    first = on_issue.issue(amount="1000.00")
    second = on_issue.issue(amount="2000.00")
    payment = first["payments"][0]
    made = on_issue.do(DraftAdviceList("verifier"))["document"]
    twin = on_issue.do(DraftAdviceList("maker"))["document"]
    named(
        on_issue.refused(DraftAdviceList("maker", transfer_on="2026-11-20")),
        "invalid_field",
        field="transfer_on",
    )
    named(
        on_issue.refused(DraftAdviceList("maker", bank_account="137:9999999999")),
        "unknown_bank_account",
    )
    named(on_issue.refused(DraftAdviceList("maker", payments=["P26-99999999"])), "unknown_payment")
    on_issue.do(
        VerifyAdviceList("verifier", made, on_issue.sign("verifier", made, "advice_list.verify"))
    )
    on_issue.do(
        VerifyAdviceList("verifier", twin, on_issue.sign("verifier", twin, "advice_list.verify"))
    )
    on_issue.do(BothHands(ADMIN_1, ADMIN_2, GiveGrant("verifier", "deputy_treasurer", TODAY)))
    named(
        on_issue.refused(
            SignAdviceList("verifier", made, on_issue.sign("verifier", made, "advice_list.sign"))
        ),
        "own_approval",
        first="list maker",
    )
    on_issue.do(RequestCancelSp2d("maker", second["document"], "Salah"))
    named(
        on_issue.refused(
            SignAdviceList("kuasa", made, on_issue.sign("kuasa", made, "advice_list.sign"))
        ),
        "payment_not_held",
        payment=second["payments"][0],
    )
    only = on_issue.list_payments(payment)
    named(
        on_issue.refused(
            SignAdviceList("kuasa", twin, on_issue.sign("kuasa", twin, "advice_list.sign"))
        ),
        "payment_not_held",
        payment=payment,
        state="queued",
    )
    named(
        on_issue.refused(DraftAdviceList("maker", payments=[payment])),
        "payment_not_held",
        state="queued",
    )
    named(
        on_issue.refused(SendAdviceList("kuasa", only, "0" * 64)),
        "invalid_field",
        field="file_sha256",
    )


def test_outcomes_that_no_bank_could_give_are_refused(office: Office) -> None:
    """An outcome follows the table of states, on a day not after today, with evidence."""
    payment = office.issue()["payments"][0]
    cases: list[tuple[RecordPayment, str, dict[str, object]]] = [
        (
            RecordPayment(RECONCILER, payment, "paid", TODAY, EVIDENCE),
            "payment_move_not_allowed",
            {"state": "held", "outcome": "paid"},
        ),
        (
            RecordPayment(RECONCILER, "P26-1", "paid", TODAY, EVIDENCE),
            "unknown_payment",
            {"payment": "P26-1"},
        ),
        (
            RecordPayment(RECONCILER, payment, "vanished", TODAY, EVIDENCE),
            "invalid_field",
            {"field": "outcome"},
        ),
        (
            RecordPayment(RECONCILER, payment, "paid", "2026-11-22", EVIDENCE),
            "future_effective_date",
            {"today": TODAY},
        ),
        (
            RecordPayment(RECONCILER, payment, "paid", TODAY, "abc"),
            "invalid_field",
            {"field": "evidence_sha256"},
        ),
    ]
    for command, code, values in cases:
        named(office.refused(command), code, **values)
    office.list_payments()
    office.outcome(payment, "paid")
    named(
        office.refused(RecordPayment(RECONCILER, payment, "paid", TODAY, EVIDENCE)),
        "payment_move_not_allowed",
        state="paid",
        allowed=["returned"],
    )
    named(
        office.refused(ResendPayment("maker", payment, "Lagi")),
        "payment_move_not_allowed",
        outcome="resent",
    )
