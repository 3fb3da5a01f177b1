"""
Tables of the book, by their columns. Keys, checks and triggers stand in `api/migrations`.

Empty text stands for "none" in every column that is part of a key, so that a key is never NULL.
Amounts are sen; a debit is positive, a credit negative. Columns that end in `_c` hold commitments
(64 hex digits) of values kept in `private_value`.
"""

from __future__ import annotations

from typing import Final

from audit.database import BYTES, INT, TEXT, table

__all__ = [
    "account",
    "account_balance",
    "account_day",
    "account_period",
    "bank_account",
    "budget_day",
    "budget_line",
    "budget_load",
    "budget_load_entry",
    "chart",
    "dispatch",
    "dispatch_pause",
    "document",
    "document_deduction",
    "document_line",
    "document_move",
    "entity",
    "fiscal_year",
    "government",
    "grant_end",
    "grant_given",
    "idempotency",
    "journal",
    "journal_line",
    "number_series",
    "officer_key",
    "officer_key_end",
    "payee",
    "payment",
    "payment_answer",
    "payment_call",
    "payment_move",
    "period_seal",
    "person",
    "policy",
    "proposal",
    "proposal_end",
    "release_bucket",
    "token",
    "token_end",
]

# --- the book and its settings ---------------------------------------------------------------

government: Final = table(
    "government", code=TEXT, name=TEXT, zone=TEXT, is_demo=INT, opened_at=TEXT, leaf_index=INT
)
#: A version of the chart of accounts in use by a government; `sha256` is over its canonical rows.
chart: Final = table(
    "chart", government=TEXT, version=TEXT, sha256=TEXT, accounts=INT, leaf_index=INT
)
account: Final = table(
    "account",
    government=TEXT,
    chart_version=TEXT,
    code=TEXT,
    name_id=TEXT,
    name_en=TEXT,
    level=INT,
    normal_side=TEXT,
    statement=TEXT,
    source=TEXT,
    valid_from=TEXT,
    valid_to=TEXT,
)
entity: Final = table("entity", government=TEXT, code=TEXT, kind=TEXT, name=TEXT, leaf_index=INT)
#: `id` is `BANKCODE:NO`; `account` the cash account of the chart it is booked on.
bank_account: Final = table(
    "bank_account",
    government=TEXT,
    id=TEXT,
    bank_code=TEXT,
    number=TEXT,
    name=TEXT,
    account=TEXT,
    opened_on=TEXT,
    leaf_index=INT,
)
fiscal_year: Final = table(
    "fiscal_year", government=TEXT, year=INT, chart_version=TEXT, leaf_index=INT
)
#: Dated settings: `recognition`, `release_level`, `feed` (one row a kind, `*` for all) ...
policy: Final = table(
    "policy", government=TEXT, name=TEXT, valid_from=TEXT, value=TEXT, leaf_index=INT
)
period_seal: Final = table(
    "period_seal",
    government=TEXT,
    fiscal_year=INT,
    period=INT,
    sealed_at=TEXT,
    sealed_by=TEXT,
    leaf_index=INT,
)

# --- people ----------------------------------------------------------------------------------

person: Final = table(
    "person",
    government=TEXT,
    id=TEXT,
    kind=TEXT,
    name_c=TEXT,
    nip_c=TEXT,
    added_at=TEXT,
    leaf_index=INT,
)
grant_given: Final = table(
    "grant_given",
    government=TEXT,
    id=TEXT,
    person_id=TEXT,
    role=TEXT,
    skpd=TEXT,
    mandate=TEXT,
    mandate_document=TEXT,
    valid_from=TEXT,
    valid_to=TEXT,
    given_by=TEXT,
    confirmed_by=TEXT,
    leaf_index=INT,
)
grant_end: Final = table(
    "grant_end",
    government=TEXT,
    grant_id=TEXT,
    ended_on=TEXT,
    given_by=TEXT,
    confirmed_by=TEXT,
    leaf_index=INT,
)
officer_key: Final = table(
    "officer_key",
    government=TEXT,
    key_id=TEXT,
    person_id=TEXT,
    algorithm=TEXT,
    public_key=BYTES,
    possession=BYTES,
    given_by=TEXT,
    confirmed_by=TEXT,
    leaf_index=INT,
)
officer_key_end: Final = table(
    "officer_key_end",
    government=TEXT,
    key_id=TEXT,
    given_by=TEXT,
    confirmed_by=TEXT,
    leaf_index=INT,
)
#: Only the SHA-256 (hex) of a token is ever stored.
token: Final = table(
    "token",
    government=TEXT,
    token_sha256=TEXT,
    id=TEXT,
    person_id=TEXT,
    issued_by=TEXT,
    issued_at=TEXT,
    expires_at=TEXT,
    leaf_index=INT,
)
token_end: Final = table(
    "token_end", government=TEXT, token_id=TEXT, ended_at=TEXT, ended_by=TEXT, leaf_index=INT
)
#: First half of a two-person act: what one person proposed. `content` is canonical JSON over
#: commitments; it becomes an act when another person confirms it (`proposal_end`).
proposal: Final = table(
    "proposal",
    government=TEXT,
    id=TEXT,
    act=TEXT,
    content=BYTES,
    proposed_by=TEXT,
    proposed_at=TEXT,
    leaf_index=INT,
)
proposal_end: Final = table(
    "proposal_end",
    government=TEXT,
    proposal_id=TEXT,
    proposed_by=TEXT,
    outcome=TEXT,
    decided_by=TEXT,
    decided_at=TEXT,
    leaf_index=INT,
)

# --- journals --------------------------------------------------------------------------------

journal: Final = table(
    "journal",
    government=TEXT,
    id=INT,
    batch_seq=INT,
    leaf_index=INT,
    reference=TEXT,
    kind=TEXT,
    source=TEXT,
    fiscal_year=INT,
    period=INT,
    effective_on=TEXT,
    document_id=TEXT,
    document_no=TEXT,
    batch_no=TEXT,
    reverses=INT,
    maker=TEXT,
    poster=TEXT,
    description_c=TEXT,
    payee_name_c=TEXT,
    line_count=INT,
)
journal_line: Final = table(
    "journal_line",
    government=TEXT,
    journal_id=INT,
    n=INT,
    entity=TEXT,
    book=TEXT,
    account=TEXT,
    amount_sen=INT,
    bank_account=TEXT,
    counterpart=TEXT,
    fund_source=TEXT,
    budget_line=TEXT,
    payment_reference=TEXT,
    fiscal_year=INT,
    period=INT,
    effective_on=TEXT,
    batch_seq=INT,
)
account_balance: Final = table(
    "account_balance",
    government=TEXT,
    chart_version=TEXT,
    entity=TEXT,
    book=TEXT,
    account=TEXT,
    bank_account=TEXT,
    counterpart=TEXT,
    fund_source=TEXT,
    balance_sen=INT,
    committed_sen=INT,
    floor_sen=INT,
)
#: Movement of one effective date; a backdated posting touches one row.
account_day: Final = table(
    "account_day",
    government=TEXT,
    entity=TEXT,
    book=TEXT,
    account=TEXT,
    bank_account=TEXT,
    counterpart=TEXT,
    fund_source=TEXT,
    fiscal_year=INT,
    period=INT,
    day=TEXT,
    debit_sen=INT,
    credit_sen=INT,
)
#: The same movement summed over a period when it was sealed, and frozen with it.
account_period: Final = table(
    "account_period",
    government=TEXT,
    entity=TEXT,
    book=TEXT,
    account=TEXT,
    bank_account=TEXT,
    counterpart=TEXT,
    fund_source=TEXT,
    fiscal_year=INT,
    period=INT,
    debit_sen=INT,
    credit_sen=INT,
    leaf_index=INT,
)

# --- budget ----------------------------------------------------------------------------------

budget_line: Final = table(
    "budget_line",
    government=TEXT,
    id=TEXT,
    fiscal_year=INT,
    skpd=TEXT,
    sub_kegiatan=TEXT,
    account=TEXT,
    fund_source=TEXT,
    bucket_id=TEXT,
    ceiling_sen=INT,
    reserved_sen=INT,
    spent_sen=INT,
    allowance_sen=INT,
)
release_bucket: Final = table(
    "release_bucket",
    government=TEXT,
    id=TEXT,
    fiscal_year=INT,
    level=TEXT,
    released_sen=INT,
    reserved_sen=INT,
    spent_sen=INT,
    allowance_sen=INT,
)
budget_day: Final = table(
    "budget_day", government=TEXT, budget_line=TEXT, kind=TEXT, day=TEXT, spent_sen=INT
)
#: A loaded budget or release file, and the figures it set; counters above follow the latest.
budget_load: Final = table(
    "budget_load",
    government=TEXT,
    n=INT,
    fiscal_year=INT,
    file_sha256=TEXT,
    entries=INT,
    entries_sha256=TEXT,
    loaded_by=TEXT,
    loaded_at=TEXT,
    leaf_index=INT,
)
budget_load_entry: Final = table(
    "budget_load_entry",
    government=TEXT,
    load_n=INT,
    target=TEXT,
    id=TEXT,
    content=TEXT,
    amount_sen=INT,
)

# --- documents (SPM, SP2D, advice list): data, and the moves they made -------------------------

document: Final = table(
    "document",
    government=TEXT,
    id=TEXT,
    kind=TEXT,
    number=TEXT,
    external_number=TEXT,
    origin=TEXT,
    fiscal_year=INT,
    skpd=TEXT,
    payment_kind=TEXT,
    bank_account=TEXT,
    parent_id=TEXT,
    dated_on=TEXT,
    gross_sen=INT,
    deduction_sen=INT,
    net_sen=INT,
    revision=TEXT,
    content=BYTES,
    issued_on=TEXT,
    state=TEXT,
    state_n=INT,
)
document_line: Final = table(
    "document_line",
    government=TEXT,
    document_id=TEXT,
    n=INT,
    budget_line=TEXT,
    expense_account=TEXT,
    amount_sen=INT,
)
document_deduction: Final = table(
    "document_deduction",
    government=TEXT,
    document_id=TEXT,
    n=INT,
    account=TEXT,
    amount_sen=INT,
    reduces_payment=INT,
    billing_c=TEXT,
)
#: Recipients of an SP2D. The name, account and tax number are commitments.
payee: Final = table(
    "payee",
    government=TEXT,
    document_id=TEXT,
    n=INT,
    subject=TEXT,
    name_c=TEXT,
    bank_code=TEXT,
    account_c=TEXT,
    npwp_c=TEXT,
    gross_sen=INT,
    deduction_sen=INT,
    net_sen=INT,
)
document_move: Final = table(
    "document_move",
    government=TEXT,
    document_id=TEXT,
    n=INT,
    move=TEXT,
    state_from=TEXT,
    state_to=TEXT,
    person_id=TEXT,
    role=TEXT,
    hand=TEXT,
    on_day=TEXT,
    reason_c=TEXT,
    checks=BYTES,
    envelope=BYTES,
    nonce=TEXT,
    journal_id=INT,
    leaf_index=INT,
)
#: One instruction to the bank. Its row exists before anything is sent; its reference never recurs.
#: `recognition` is the policy its SP2D was signed under; `basis` what it is booked against: the
#: `order` itself, or the liability that an earlier attempt left behind (`retur`).
payment: Final = table(
    "payment",
    government=TEXT,
    id=TEXT,
    document_id=TEXT,
    payee_n=INT,
    attempt=INT,
    advice_list_id=TEXT,
    partner_reference=TEXT,
    bank_account=TEXT,
    name_c=TEXT,
    bank_code=TEXT,
    account_c=TEXT,
    amount_sen=INT,
    recognition=TEXT,
    basis=TEXT,
    state=TEXT,
    state_n=INT,
)
payment_move: Final = table(
    "payment_move",
    government=TEXT,
    payment_id=TEXT,
    n=INT,
    state_from=TEXT,
    state_to=TEXT,
    person_id=TEXT,
    on_day=TEXT,
    evidence_sha256=TEXT,
    reason_c=TEXT,
    journal_id=INT,
    leaf_index=INT,
)
#: The outbox: one row for each payment of a signed list, written with that signature. `channel` is how
#: the bank account's orders left on that day. `held`, `stage`, `tries` and `next_at` move: a row is
#: waiting, asked (the bank was) or closed; `next_at`
#: is the UTC instant from which a worker may look at the row again, empty for at once.
dispatch: Final = table(
    "dispatch",
    government=TEXT,
    payment_id=TEXT,
    advice_list_id=TEXT,
    bank_account=TEXT,
    channel=TEXT,
    transfer_on=TEXT,
    leaf_index=INT,
    held=INT,
    stage=TEXT,
    tries=INT,
    next_at=TEXT,
)
#: Sending through a bank account was stopped (`paused` 1) or goes on (0).
dispatch_pause: Final = table(
    "dispatch_pause",
    government=TEXT,
    bank_account=TEXT,
    n=INT,
    paused=INT,
    person_id=TEXT,
    reason_c=TEXT,
    leaf_index=INT,
)
#: The bank is about to be asked to pay: the row stands before the request leaves. `due_at` is the
#: UTC instant after which a call without an answer is in doubt.
payment_call: Final = table(
    "payment_call",
    government=TEXT,
    payment_id=TEXT,
    n=INT,
    external_id=TEXT,
    rail=TEXT,
    worker=TEXT,
    due_at=TEXT,
    leaf_index=INT,
)
#: What the bank said of a call, or that it said nothing; `answer_c` commits to the text received.
payment_answer: Final = table(
    "payment_answer",
    government=TEXT,
    payment_id=TEXT,
    n=INT,
    call_n=INT,
    source=TEXT,
    meaning=TEXT,
    http_status=INT,
    code=TEXT,
    bank_reference=TEXT,
    answer_c=TEXT,
    evidence_sha256=TEXT,
    leaf_index=INT,
)
#: Two reconcilers settled step *n* of a payment by hand; `evidence_sha256` is of the bank's file or
#: letter. The row stands before the step.
payment_settlement: Final = table(
    "payment_settlement",
    government=TEXT,
    payment_id=TEXT,
    n=INT,
    proposal_id=TEXT,
    proposed_by=TEXT,
    confirmed_by=TEXT,
    evidence_sha256=TEXT,
    leaf_index=INT,
)
number_series: Final = table(
    "number_series", government=TEXT, fiscal_year=INT, series=TEXT, last=INT
)

# --- repeats ---------------------------------------------------------------------------------

#: The answer that a key was given. `request` holds commitments of the body's fields, under the salt
#: of the private value named by `request_c`: erasing that value makes them unlinkable.
idempotency: Final = table(
    "idempotency",
    government=TEXT,
    person_id=TEXT,
    key=TEXT,
    route=TEXT,
    request_c=TEXT,
    request=TEXT,
    status=INT,
    answer=BYTES,
    batch_seq=INT,
    recorded_at=TEXT,
)
