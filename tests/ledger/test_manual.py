"""Manual journals: drafted by one accountant, posted by another; and undone in the same way."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine, text

from api.engine import reading
from ledger.answers import Idempotency
from ledger.commands import ReverseJournal
from ledger.journals import Line, line_form
from ledger.manual import line_of_form
from ledger.opening import ADMIN_1, ADMIN_2, FEEDER
from ledger.periods import SealPeriod
from ledger.privacy import ErasePayee
from ledger.proposals import (
    Confirm,
    DraftManualJournal,
    DraftReversal,
    PostManualJournal,
    Propose,
    Withdraw,
)
from tests.builders import (
    BANK,
    CASH,
    EXPENSE,
    PFK,
    TODAY,
    answer,
    journal,
    kernel_findings,
    line,
    post,
    refusal,
    run,
    scalar,
)
from tests.ledger.people import (
    SUPPLIES,
    SUPPLIES_EXPENSE,
    appoint,
    both,
    contents,
    manual,
    one,
    people_findings,
)


@pytest.fixture(autouse=True)
def _accountants(engine: Engine) -> None:
    appoint(engine, "acc-1", "accountant")
    appoint(engine, "acc-2", "accountant")


def _draft(engine: Engine, body: Any = None, by: str = "acc-1") -> str:
    return str(answer(one(engine, DraftManualJournal(by, body or manual())))["proposal"])


def _balance(engine: Engine, account: str) -> int:
    with reading(engine) as conn:
        return int(
            scalar(
                conn,
                "SELECT coalesce(sum(balance_sen), 0) FROM account_balance WHERE account = :a",
                a=account,
            )
        )


def test_manual_journal_by_two_accountants_is_in_the_books(engine: Engine) -> None:
    """Drafted it moves nothing; posted it has maker and poster, and its leaves tell the proposal."""
    draft = _draft(engine)
    assert 0 == _balance(engine, SUPPLIES_EXPENSE)
    done = answer(one(engine, PostManualJournal("acc-2", draft)))
    with reading(engine) as conn:
        row = conn.execute(
            text("SELECT * FROM journal WHERE id = :id"), {"id": done["journal"]}
        ).one()
        kinds = conn.execute(
            text("SELECT kind FROM log_leaf WHERE idx >= :i ORDER BY idx"),
            {"i": done["leaf_index"]},
        ).scalars()
        assert ["journal.posted", "proposal.confirmed"] == list(kinds)
        texts = conn.execute(
            text("SELECT value FROM private_value WHERE commitment = :c"),
            {"c": row.description_c},
        ).scalar()

    assert ("manual", "acc-1", "acc-2", 2026, 11) == (
        row.source,
        row.maker,
        row.poster,
        row.fiscal_year,
        row.period,
    )
    assert ("M-1", draft, "Pemakaian persediaan") == (done["reference"], done["proposal"], texts)
    assert (25_000, -25_000) == (_balance(engine, SUPPLIES_EXPENSE), _balance(engine, SUPPLIES))
    assert [] == people_findings(engine) == kernel_findings(engine)


def test_manual_journal_by_one_accountant_is_refused(engine: Engine) -> None:
    """Who drafted it may not post it (SOD-1), nor may who is no accountant."""
    draft = _draft(engine)

    assert "own_approval" == refusal(one(engine, PostManualJournal("acc-1", draft)))[0]
    assert "not_granted" == refusal(one(engine, PostManualJournal(ADMIN_1, draft)))[0]
    assert "not_granted" == refusal(one(engine, DraftManualJournal(FEEDER, manual())))[0]


def test_draft_is_checked_when_it_is_made(engine: Engine) -> None:
    """Cash, reciprocal accounts, budget lines, sums, accounts, dates: refused before anybody posts."""
    expense = line(SUPPLIES_EXPENSE, debit="250.00")
    cases: list[tuple[str, dict[str, Any]]] = [
        ("manual_journal_on_reserved_account", {"lines": [expense, line(CASH, credit="250.00")]}),
        (
            "manual_journal_on_reserved_account",
            {
                "lines": [
                    line("3.1.03.01.01.0001", debit="1.00", entity="PPKD", counterpart="PPKD"),
                    line("3.1.03.01.01.0001", credit="1.00", entity="PPKD", counterpart="PPKD"),
                ]
            },
        ),
        (
            "manual_journal_on_reserved_account",
            {
                "lines": [
                    line(SUPPLIES_EXPENSE, debit="1.00", book="BUD", budget_line="b-1"),
                    line("3.1.02.05.01.0001", credit="1.00", book="BUD"),
                ]
            },
        ),
        ("unbalanced_journal", {"lines": [expense, line(SUPPLIES, credit="250.01")]}),
        ("unknown_account", {"lines": [expense, line("9.9.99.99.99.9999", credit="250.00")]}),
        ("account_not_postable", {"lines": [expense, line("1.1.12.01.01", credit="250.00")]}),
        ("future_effective_date", {"effective_on": "2026-11-22"}),
        ("period_mismatch", {"period": 13}),
        ("fiscal_year_not_open", {"effective_on": "2024-11-20"}),
        ("invalid_field", {"description": "baris\nbaru"}),
        ("invalid_field", {"reference": ""}),
        ("invalid_field", {"lines": [expense]}),
        ("reference_taken", {"reference": f"OPENING/{BANK}"}),
    ]
    # Reciprocal lines in an entity that may hold none are refused for that before they reach the rule.
    expected = [code for code, _ in cases]
    expected[1] = "counterpart_required"
    before = contents(engine)
    got = [
        refusal(
            one(engine, DraftManualJournal("acc-1", manual(**({"reference": "M-9"} | changes))))
        )[0]
        for _, changes in cases
    ]

    assert expected == got
    assert before == contents(engine)


def test_draft_is_checked_again_when_it_is_posted(engine: Engine) -> None:
    """Sealed in between, reference taken in between, decided already: refused, and nothing moves."""
    sealed = _draft(engine, manual("M-1", effective_on="2026-01-15"))
    twice = [_draft(engine, manual("M-2")) for _ in range(2)]
    gone = _draft(engine, manual("M-3"))
    answer(one(engine, SealPeriod("acc-1", 2026, 1)))
    answer(one(engine, PostManualJournal("acc-2", twice[0])))
    answer(one(engine, Withdraw("acc-1", gone)))
    before = contents(engine)

    assert ["period_sealed", "reference_taken", "proposal_ended", "proposal_ended"] == [
        refusal(one(engine, PostManualJournal("acc-2", draft)))[0]
        for draft in (sealed, twice[1], twice[0], gone)
    ]
    assert before == contents(engine)


def test_texts_erased_before_posting_stop_it(engine: Engine) -> None:
    """A journal is not posted under texts that nobody can read any more."""
    draft = _draft(engine, manual(payee_name="Toko Maju"))
    both(engine, ErasePayee("journal:M-1", "Permintaan"))

    assert ("text_erased", {"field": "description"}) == refusal(
        one(engine, PostManualJournal("acc-2", draft))
    )


def test_posting_takes_journals_only(engine: Engine) -> None:
    """The route that posts journals confirms no other act."""
    appoint(engine, "admin-3", "admin")
    from ledger.policies import AddEntity  # noqa: PLC0415  # one case needs it

    other = answer(one(engine, Propose(ADMIN_1, AddEntity("1.02", "X"))))["proposal"]

    assert "unknown_proposal" == refusal(one(engine, PostManualJournal("admin-3", other)))[0]
    assert "1.02" == answer(one(engine, Confirm("admin-3", other)))["entity"]


def test_long_draft_goes_into_its_leaf_by_hash(engine: Engine) -> None:
    """A thousand lines do not fit an entry of the log; both halves and the check still know them."""
    pairs = [
        entry
        for n in range(1, 501)
        for entry in (
            line(SUPPLIES_EXPENSE, debit=f"{n}.00", fund_source=f"sumber-dana-nomor-{n}"),
            line(SUPPLIES, credit=f"{n}.00", fund_source=f"sumber-dana-nomor-{n}"),
        )
    ]
    draft = _draft(engine, manual(lines=pairs))
    answer(one(engine, PostManualJournal("acc-2", draft)))
    with reading(engine) as conn:
        body = bytes(
            conn.execute(
                text("SELECT body FROM log_leaf WHERE kind = 'proposal.made' ORDER BY idx DESC")
            ).scalar()
        )

    assert b"content_sha256" in body
    assert [] == people_findings(engine) == kernel_findings(engine)


def test_same_request_again_is_answered_alike(engine: Engine) -> None:
    """With a key, a repeated draft is one proposal and a repeated posting one journal."""
    key = Idempotency("d-1", "manual", [("reference", b'"M-1"')])
    first, again = run(engine, *(DraftManualJournal("acc-1", manual(), key) for _ in range(2)))
    proposal = answer(first)["proposal"]
    put = Idempotency("p-1", "post", [("proposal", proposal.encode())])
    done, replayed = run(engine, *(PostManualJournal("acc-2", proposal, put) for _ in range(2)))

    assert (first.answer, False, True) == (again.answer, first.replayed, again.replayed)  # type: ignore[union-attr]
    assert (done.answer, True) == (replayed.answer, replayed.replayed)  # type: ignore[union-attr]
    assert [] == people_findings(engine)


# --- reversals -------------------------------------------------------------------------------------


def _posted(engine: Engine) -> int:
    return int(answer(one(engine, PostManualJournal("acc-2", _draft(engine))))["journal"])


def test_manual_journal_is_reversed_by_two(engine: Engine) -> None:
    """One accountant drafts the mirror image, another posts it; balances are back."""
    journal_id = _posted(engine)
    drafted = one(engine, DraftReversal("acc-2", journal_id, "R-1", TODAY, "Salah rekening"))
    proposal = answer(drafted)["proposal"]
    own = refusal(one(engine, PostManualJournal("acc-2", proposal)))
    done = answer(one(engine, PostManualJournal("acc-1", proposal)))
    with reading(engine) as conn:
        row = conn.execute(
            text("SELECT * FROM journal WHERE id = :id"), {"id": done["journal"]}
        ).one()

    assert "own_approval" == own[0]
    assert (journal_id, "reversal", "manual", "acc-2", "acc-1") == (
        row.reverses,
        row.kind,
        row.source,
        row.maker,
        row.poster,
    )
    assert (0, 0) == (_balance(engine, SUPPLIES_EXPENSE), _balance(engine, SUPPLIES))
    assert [] == people_findings(engine) == kernel_findings(engine)


def test_reversal_by_one_person_is_for_fed_journals_only(engine: Engine) -> None:
    """Journals by hand and facts of the bank are refused to a single person."""
    journal_id = _posted(engine)
    results = [
        refusal(one(engine, ReverseJournal(by, number, f"R-{by}-{number}", TODAY, "Salah")))
        for by in ("acc-1", FEEDER)
        for number in (1, journal_id)
    ]

    assert ["reversal_needs_two_persons"] * 4 == [code for code, _ in results]
    assert ["bank", "manual"] * 2 == [values["source"] for _, values in results]


def test_reversal_refused_changes_nothing(engine: Engine) -> None:
    """Unknown journal, twice, sealed or future date, taken reference, not enough cash: by name."""
    journal_id = _posted(engine)
    answer(one(engine, SealPeriod("acc-1", 2026, 1)))
    run(
        engine,
        *post(journal("J-1", lines=[line(EXPENSE, debit="1.00"), line(CASH, credit="1.00")])),
    )
    cases = [
        ("unknown_journal", (999, "R-1", TODAY, "Salah")),
        ("period_sealed", (journal_id, "R-1", "2026-01-15", "Salah")),
        ("future_effective_date", (journal_id, "R-1", "2026-11-22", "Salah")),
        ("reference_taken", (journal_id, "M-1", TODAY, "Salah")),
        ("invalid_field", (journal_id, "R-1", TODAY, "")),
        ("invalid_field", (journal_id, "", TODAY, "Salah")),
        ("invalid_field", (journal_id, "R-1", "kemarin", "Salah")),
    ]
    before = contents(engine)
    got = [refusal(one(engine, DraftReversal("acc-1", *case)))[0] for _, case in cases]  # type: ignore[arg-type]

    assert [code for code, _ in cases] == got
    assert before == contents(engine)


def test_two_reversals_of_one_journal_in_one_batch_make_one(engine: Engine) -> None:
    """The second is refused by name, though the first is not written yet."""
    journal_id = _posted(engine)
    drafts = [
        answer(one(engine, DraftReversal("acc-1", journal_id, f"R-{n}", TODAY, "Salah")))[
            "proposal"
        ]
        for n in (1, 2)
    ]
    first, second = run(engine, *(PostManualJournal("acc-2", draft) for draft in drafts))

    assert "R-1" == answer(first)["reference"]
    assert "journal_already_reversed" == refusal(second)[0]
    assert [] == people_findings(engine) == kernel_findings(engine)


def test_fact_of_the_bank_is_reversed_by_two(engine: Engine) -> None:
    """The opening balance is undone by two accountants, as far as the cash is there."""
    run(engine, *post(journal()))
    spent = answer(one(engine, DraftReversal("acc-1", 1, "R-1", TODAY, "Salah saldo")))["proposal"]
    refused = refusal(one(engine, PostManualJournal("acc-2", spent)))
    run(
        engine,
        *post(journal("J-2", lines=[line(CASH, debit="1000.00"), line(PFK, credit="1000.00")])),
    )

    assert "over_cash" == refused[0]
    assert "R-1" == answer(one(engine, PostManualJournal("acc-2", spent)))["reference"]
    assert 0 == _balance(engine, CASH)
    assert [] == kernel_findings(engine)


@pytest.mark.parametrize(
    "drawn",
    [
        Line("PPKD", "FIN", SUPPLIES, -25_000),
        Line("1.02", "FIN", SUPPLIES, 1, fund_source="DAU"),
        Line("PPKD", "FIN", CASH, 5, "137:0000000000", payment_reference="X-1"),
    ],
)
def test_line_survives_its_form(drawn: Line) -> None:
    """What a leaf says of a line is read back as the same line."""
    assert drawn == line_of_form(line_form(drawn))


def test_erasing_by_administrators_needs_two(engine: Engine) -> None:
    """Proposing to erase is no erasing."""
    _draft(engine)
    answer(one(engine, Propose(ADMIN_2, ErasePayee("journal:M-1", "Permintaan"))))
    with reading(engine) as conn:
        kept = scalar(conn, "SELECT count(*) FROM private_value WHERE subject = 'journal:M-1'")

    assert 1 == kept
