"""Bank statements and books: taken in, matched, and proven to agree, or by how much they do not."""

from reconciliation.admission import is_same_account
from reconciliation.by_hand import MatchByHand, UndoMatch
from reconciliation.exceptional_lines import back_dated_lines, provisional_lines
from reconciliation.exceptions import REASONS, cut_of, last_closing_on, prove
from reconciliation.intake import ImportStatement, read_import
from reconciliation.position import AGE_BUCKETS, OpenLine, Proof
from reconciliation.queries import (
    MATCHES_HEADER,
    CashPosition,
    LineFilter,
    MatchRow,
    PaymentSeen,
    cash_position,
    list_deliveries,
    list_lines,
    list_matches,
    list_runs,
    list_statements,
    match_rows,
    payments_seen,
    statement_content,
)
from reconciliation.reconciliation_check import check_reconciliation
from reconciliation.reissues import SupersedeStatement
from reconciliation.runs import Outcome, Reconcile

__all__ = [
    "AGE_BUCKETS",
    "MATCHES_HEADER",
    "REASONS",
    "CashPosition",
    "ImportStatement",
    "LineFilter",
    "MatchByHand",
    "MatchRow",
    "OpenLine",
    "Outcome",
    "PaymentSeen",
    "Proof",
    "Reconcile",
    "SupersedeStatement",
    "UndoMatch",
    "back_dated_lines",
    "cash_position",
    "check_reconciliation",
    "cut_of",
    "is_same_account",
    "last_closing_on",
    "list_deliveries",
    "list_lines",
    "list_matches",
    "list_runs",
    "list_statements",
    "match_rows",
    "payments_seen",
    "prove",
    "provisional_lines",
    "read_import",
    "statement_content",
]
