"""
Tables of bank statements and their reconciliation, by their columns.

Keys, checks and triggers stand in `api/migrations/versions/0002_statements.py` and
`0005_deliveries.py`. As everywhere, "" stands for "none", amounts are signed sen (positive is money into the account, which on a cash line
of the books is a debit), and columns that end in `_c` hold commitments of private values.
"""

from __future__ import annotations

from typing import Final

from audit.database import BYTES, INT, TEXT, table

__all__ = [
    "ENTRY_STRIDE",
    "bank_line",
    "bank_line_delivery",
    "bank_line_gone",
    "book_entry",
    "delivery",
    "match_member",
    "match_undo",
    "open_item",
    "open_key",
    "provisional_booked",
    "provisional_line",
    "provisional_line_delivery",
    "reconciliation_match",
    "reconciliation_run",
    "reissue",
    "statement",
    "statement_file",
    "statement_file_content",
]

#: `book_entry.id` is `journal_id * ENTRY_STRIDE + n`; a journal has at most 10,000 lines.
ENTRY_STRIDE: Final = 16_384

# --- statements ------------------------------------------------------------------------------

#: A file as the bank delivered it. `leaf_index` is the act that brought it first; `profile` names a
#: layout that ships, or is the whole text of another one, by which the file can be read again.
statement_file: Final = table(
    "statement_file",
    government=TEXT,
    sha256=TEXT,
    size=INT,
    format=TEXT,
    profile=TEXT,
    batch_seq=INT,
    leaf_index=INT,
)
#: Its bytes. They name people, so they may be erased like a private value; the digest stays.
statement_file_content: Final = table(
    "statement_file_content", government=TEXT, sha256=TEXT, content=BYTES
)
#: One statement of a file. `chain_n` counts the admitted statements of an account from 1 (0: not in
#: the chain); `previous_sen` is where the chain stood; `covers_from` the first day it reports.
statement: Final = table(
    "statement",
    government=TEXT,
    id=INT,
    bank_account=TEXT,
    file_sha256=TEXT,
    ordinal=INT,
    chain_n=INT,
    status=TEXT,
    statement_no=TEXT,
    page=INT,
    kind=TEXT,
    currency=TEXT,
    covers_from=TEXT,
    opening_on=TEXT,
    opening_sen=INT,
    closing_on=TEXT,
    closing_sen=INT,
    previous_sen=INT,
    line_count=INT,
    new_count=INT,
    confirmed_count=INT,
    skipped_count=INT,
    lines_sha256=TEXT,
    deliveries_sha256=TEXT,
    rule=TEXT,
    detail_c=TEXT,
    imported_by=TEXT,
    batch_seq=INT,
    leaf_index=INT,
)
#: A line that lasts (D17): the `occurrence`-th of its account and booking day. `statement_id` and
#: `position` say who delivered it first. `found_keys` are the references found in it, separated by spaces;
#: one that may be cut off ends in `~`.
bank_line: Final = table(
    "bank_line",
    government=TEXT,
    id=INT,
    bank_account=TEXT,
    statement_id=INT,
    position=INT,
    booked_on=TEXT,
    occurrence=INT,
    value_on=TEXT,
    entry_on=TEXT,
    booked_time=TEXT,
    amount_sen=INT,
    balance_after_sen=INT,
    reversal=INT,
    bank_reference=TEXT,
    reference=TEXT,
    transaction_code=TEXT,
    narrative_c=TEXT,
    counterparty_c=TEXT,
    line_kind=TEXT,
    pay_key=TEXT,
    doc_key=TEXT,
    found_keys=TEXT,
    batch_seq=INT,
)
#: A later statement that delivered the line again.
bank_line_delivery: Final = table(
    "bank_line_delivery", government=TEXT, statement_id=INT, position=INT, line_id=INT
)

# --- reissued statements ---------------------------------------------------------------------

#: Two persons put `statement_id` in the place of `supersedes` in the chain. `kept_aside` is the
#: statement as it was quarantined before. What stands is the statement that no row supersedes.
reissue: Final = table(
    "reissue",
    government=TEXT,
    statement_id=INT,
    supersedes=INT,
    kept_aside=INT,
    proposed_by=TEXT,
    confirmed_by=TEXT,
    reason_c=TEXT,
    gone_count=INT,
    gone_sha256=TEXT,
    batch_seq=INT,
    leaf_index=INT,
)
#: A line that the reissued `statement_id` no longer has.
bank_line_gone: Final = table(
    "bank_line_gone", government=TEXT, line_id=INT, statement_id=INT, batch_seq=INT
)

# --- before the end of the day -----------------------------------------------------------------

#: An intraday report or an advice, taken in. It closes no day and is in no chain.
delivery: Final = table(
    "delivery",
    government=TEXT,
    id=INT,
    bank_account=TEXT,
    file_sha256=TEXT,
    ordinal=INT,
    kind=TEXT,
    statement_no=TEXT,
    page=INT,
    line_count=INT,
    new_count=INT,
    confirmed_count=INT,
    skipped_count=INT,
    booked_count=INT,
    lines_sha256=TEXT,
    deliveries_sha256=TEXT,
    booked_sha256=TEXT,
    imported_by=TEXT,
    batch_seq=INT,
    leaf_index=INT,
)
#: A line that such a delivery told of first: the `occurrence`-th of its account and booking day. No
#: proof counts it and no run matches it.
provisional_line: Final = table(
    "provisional_line",
    government=TEXT,
    id=INT,
    bank_account=TEXT,
    delivery_id=INT,
    position=INT,
    booked_on=TEXT,
    occurrence=INT,
    value_on=TEXT,
    entry_on=TEXT,
    booked_time=TEXT,
    amount_sen=INT,
    reversal=INT,
    bank_reference=TEXT,
    reference=TEXT,
    transaction_code=TEXT,
    narrative_c=TEXT,
    counterparty_c=TEXT,
    batch_seq=INT,
)
#: A later delivery that told of it again.
provisional_line_delivery: Final = table(
    "provisional_line_delivery", government=TEXT, delivery_id=INT, position=INT, line_id=INT
)
#: The booked line that confirms it. `leaf_index` is the act that said so.
provisional_booked: Final = table(
    "provisional_booked",
    government=TEXT,
    provisional_id=INT,
    line_id=INT,
    batch_seq=INT,
    leaf_index=INT,
)

# --- the books' side -------------------------------------------------------------------------

#: A cash line of the books on a bank account, with the keys it can be found by. Wholly derived from
#: `journal` and `journal_line`; `batch_seq` is the journal's. `reverses` is 0 for none.
book_entry: Final = table(
    "book_entry",
    government=TEXT,
    id=INT,
    bank_account=TEXT,
    journal_id=INT,
    n=INT,
    effective_on=TEXT,
    amount_sen=INT,
    is_opening=INT,
    reverses=INT,
    pay_key=TEXT,
    doc_key=TEXT,
    found_keys=TEXT,
    batch_seq=INT,
)

# --- what is open now ------------------------------------------------------------------------

#: Working set: the bank lines (`side` bank) and book entries (`side` book) in no live match.
open_item: Final = table(
    "open_item", government=TEXT, side=TEXT, item=INT, bank_account=TEXT, day=TEXT, amount_sen=INT
)
#: Their keys, in the order that a stage reads them.
open_key: Final = table(
    "open_key",
    government=TEXT,
    bank_account=TEXT,
    key=TEXT,
    amount_sen=INT,
    side=TEXT,
    item=INT,
    cut=INT,
)

# --- decisions -------------------------------------------------------------------------------

reconciliation_run: Final = table(
    "reconciliation_run",
    government=TEXT,
    id=INT,
    bank_account=TEXT,
    through=TEXT,
    rule_version=TEXT,
    statement_id=INT,
    journal_through=INT,
    entry_count=INT,
    entries_sha256=TEXT,
    match_count=INT,
    matches_sha256=TEXT,
    stage_counts=TEXT,
    suggested_count=INT,
    open_lines=INT,
    open_entries=INT,
    closing_sen=INT,
    book_sen=INT,
    difference_sen=INT,
    run_by=TEXT,
    batch_seq=INT,
    leaf_index=INT,
)
#: One decision. `run_id` is 0 for a match by hand; `evidence` is canonical JSON; `runner_up` counts
#: the other open candidates of the same amount.
reconciliation_match: Final = table(
    "reconciliation_match",
    government=TEXT,
    id=INT,
    bank_account=TEXT,
    run_id=INT,
    status=TEXT,
    stage=TEXT,
    rule_version=TEXT,
    evidence=TEXT,
    runner_up=INT,
    amount_sen=INT,
    member_count=INT,
    batch_seq=INT,
    leaf_index=INT,
)
#: What it covers. `round` counts the undone matches the item was in before, so that
#: (side, item, round) is unique and an item is in one live match at most.
match_member: Final = table(
    "match_member",
    government=TEXT,
    match_id=INT,
    n=INT,
    side=TEXT,
    item=INT,
    round=INT,
    amount_sen=INT,
)
match_undo: Final = table(
    "match_undo",
    government=TEXT,
    match_id=INT,
    undone_by=TEXT,
    reason_c=TEXT,
    batch_seq=INT,
    leaf_index=INT,
)
