"""
The log, the book, its people and its documents.

Runs before the code that needs it. Column comments stand in `ledger/tables.py`; here are the keys,
the checks and the triggers: the second home of every invariant.
"""

from __future__ import annotations

from alembic import context

from api.migrations.ddl import (
    append_only,
    counters,
    create_table,
    execute,
    grant,
    is_postgresql,
    postgresql_function,
    sqlite_trigger,
    statement_trigger,
)

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

LOG = """
CREATE TABLE log_edge (government {text} PRIMARY KEY, origin {text} NOT NULL, base {int} NOT NULL CHECK (base >= 0), size {int} NOT NULL CHECK (size >= 0),
  edge {bytes} NOT NULL, batch_seq {int} NOT NULL, journal_count {int} NOT NULL, recorded_at {text} NOT NULL,
  config_rev {int} NOT NULL) {hot};
CREATE TABLE log_shard (government {text} NOT NULL, n {int} NOT NULL CHECK (n > 0), origin {text} NOT NULL, base {int} NOT NULL CHECK (base >= 0),
  PRIMARY KEY (government, n)) {strict};
CREATE TABLE log_node (government {text} NOT NULL, origin {text} NOT NULL, level {int} NOT NULL CHECK (level BETWEEN 1 AND 7), idx {int} NOT NULL CHECK (idx >= 0),
  hash {bytes} NOT NULL CHECK (length(hash) = 32), PRIMARY KEY (government, origin, level, idx)) {strict};
CREATE TABLE batch (government {text} NOT NULL, seq {int} NOT NULL, recorded_at {text} NOT NULL CHECK (length(recorded_at) = 27),
  leaf_from {int} NOT NULL, leaf_to {int} NOT NULL CHECK (leaf_to > leaf_from), clock_clamped {int} NOT NULL CHECK (clock_clamped IN (0, 1)),
  PRIMARY KEY (government, seq)) {strict};
CREATE TABLE log_leaf (government {text} NOT NULL, idx {int} NOT NULL CHECK (idx >= 0), batch_seq {int} NOT NULL, kind {text} NOT NULL,
  body {bytes} NOT NULL, leaf_hash {bytes} NOT NULL, PRIMARY KEY (government, idx),
  CHECK (length(leaf_hash) = 32), CHECK (length(body) <= 65535)) {strict};
CREATE TABLE checkpoint (government {text} NOT NULL, origin {text} NOT NULL, size {int} NOT NULL CHECK (size >= 0), root {bytes} NOT NULL CHECK (length(root) = 32),
  note {text} NOT NULL, signed_at {text} NOT NULL, PRIMARY KEY (government, origin, size)) {strict};
CREATE TABLE private_value (government {text} NOT NULL, commitment {text} NOT NULL CHECK (length(commitment) = 64), subject {text} NOT NULL,
  field {text} NOT NULL, salt {text} NOT NULL CHECK (length(salt) = 64), value {text} NOT NULL, PRIMARY KEY (government, commitment)) {strict};
CREATE INDEX private_value_by_subject ON private_value (subject, government);
"""

BOOK = """
CREATE TABLE government (code {text} PRIMARY KEY, name {text} NOT NULL, zone {text} NOT NULL, is_demo {int} NOT NULL CHECK (is_demo IN (0, 1)),
  opened_at {text} NOT NULL, leaf_index {int} NOT NULL) {strict};
CREATE TABLE chart (government {text} NOT NULL, version {text} NOT NULL, sha256 {text} NOT NULL, accounts {int} NOT NULL, leaf_index {int} NOT NULL,
  PRIMARY KEY (government, version)) {strict};
CREATE TABLE account (government {text} NOT NULL, chart_version {text} NOT NULL, code {text} NOT NULL, name_id {text} NOT NULL, name_en {text} NOT NULL,
  level {int} NOT NULL CHECK (level BETWEEN 1 AND 6), normal_side {text} NOT NULL CHECK (normal_side IN ('D', 'C')), statement {text} NOT NULL,
  source {text} NOT NULL, valid_from {text} NOT NULL, valid_to {text} NOT NULL, PRIMARY KEY (government, chart_version, code)) {strict};
CREATE UNIQUE INDEX account_postable ON account (code, chart_version, government) WHERE level = 6;
CREATE TABLE entity (government {text} NOT NULL, code {text} NOT NULL, kind {text} NOT NULL CHECK (kind IN ('PPKD', 'SKPD')), name {text} NOT NULL,
  leaf_index {int} NOT NULL, PRIMARY KEY (government, code)) {strict};
CREATE TABLE bank_account (government {text} NOT NULL, id {text} NOT NULL, bank_code {text} NOT NULL, number {text} NOT NULL, name {text} NOT NULL,
  account {text} NOT NULL, opened_on {text} NOT NULL, leaf_index {int} NOT NULL, PRIMARY KEY (government, id), CHECK (id = bank_code || ':' || number)) {strict};
CREATE TABLE fiscal_year (government {text} NOT NULL, year {int} NOT NULL CHECK (year BETWEEN 1945 AND 9999), chart_version {text} NOT NULL, leaf_index {int} NOT NULL,
  PRIMARY KEY (government, year), FOREIGN KEY (government, chart_version) REFERENCES chart (government, version)) {strict};
CREATE TABLE policy (government {text} NOT NULL, name {text} NOT NULL, valid_from {text} NOT NULL, value {text} NOT NULL, leaf_index {int} NOT NULL,
  PRIMARY KEY (government, name, valid_from, value)) {strict};
CREATE TABLE period_seal (government {text} NOT NULL, fiscal_year {int} NOT NULL, period {int} NOT NULL CHECK (period BETWEEN 1 AND 14), sealed_at {text} NOT NULL,
  sealed_by {text} NOT NULL, leaf_index {int} NOT NULL, PRIMARY KEY (government, fiscal_year, period)) {strict};
"""

PEOPLE = """
CREATE TABLE person (government {text} NOT NULL, id {text} NOT NULL, kind {text} NOT NULL CHECK (kind IN ('officer', 'service')), name_c {text} NOT NULL, nip_c {text} NOT NULL,
  added_at {text} NOT NULL, leaf_index {int} NOT NULL, PRIMARY KEY (government, id)) {strict};
CREATE TABLE grant_given (government {text} NOT NULL, id {text} NOT NULL, person_id {text} NOT NULL, role {text} NOT NULL, skpd {text} NOT NULL,
  mandate {text} NOT NULL CHECK (mandate IN ('definitive', 'plt', 'plh')), mandate_document {text} NOT NULL, valid_from {text} NOT NULL, valid_to {text} NOT NULL,
  given_by {text} NOT NULL, confirmed_by {text} NOT NULL, leaf_index {int} NOT NULL, PRIMARY KEY (government, id),
  CHECK (given_by <> confirmed_by), CHECK (valid_to >= valid_from), CHECK (mandate = 'definitive' OR mandate_document <> ''),
  FOREIGN KEY (government, person_id) REFERENCES person (government, id)) {strict};
CREATE TABLE grant_end (government {text} NOT NULL, grant_id {text} NOT NULL, ended_on {text} NOT NULL, given_by {text} NOT NULL, confirmed_by {text} NOT NULL,
  leaf_index {int} NOT NULL, PRIMARY KEY (government, grant_id), CHECK (given_by <> confirmed_by),
  FOREIGN KEY (government, grant_id) REFERENCES grant_given (government, id)) {strict};
CREATE TABLE officer_key (government {text} NOT NULL, key_id {text} NOT NULL, person_id {text} NOT NULL, algorithm {text} NOT NULL, public_key {bytes} NOT NULL,
  possession {bytes} NOT NULL, given_by {text} NOT NULL, confirmed_by {text} NOT NULL, leaf_index {int} NOT NULL, PRIMARY KEY (government, key_id),
  CHECK (given_by <> confirmed_by), FOREIGN KEY (government, person_id) REFERENCES person (government, id)) {strict};
CREATE TABLE officer_key_end (government {text} NOT NULL, key_id {text} NOT NULL, given_by {text} NOT NULL, confirmed_by {text} NOT NULL, leaf_index {int} NOT NULL,
  PRIMARY KEY (government, key_id), CHECK (given_by <> confirmed_by), FOREIGN KEY (government, key_id) REFERENCES officer_key (government, key_id)) {strict};
CREATE TABLE token (government {text} NOT NULL, token_sha256 {text} NOT NULL CHECK (length(token_sha256) = 64), id {text} NOT NULL, person_id {text} NOT NULL,
  issued_by {text} NOT NULL, issued_at {text} NOT NULL, expires_at {text} NOT NULL CHECK (expires_at > issued_at), leaf_index {int} NOT NULL,
  PRIMARY KEY (government, id), FOREIGN KEY (government, person_id) REFERENCES person (government, id)) {strict};
CREATE UNIQUE INDEX token_by_hash ON token (token_sha256, government);
CREATE TABLE token_end (government {text} NOT NULL, token_id {text} NOT NULL, ended_at {text} NOT NULL, ended_by {text} NOT NULL, leaf_index {int} NOT NULL,
  PRIMARY KEY (government, token_id), FOREIGN KEY (government, token_id) REFERENCES token (government, id)) {strict};
CREATE TABLE proposal (government {text} NOT NULL, id {text} NOT NULL, act {text} NOT NULL, content {bytes} NOT NULL, proposed_by {text} NOT NULL,
  proposed_at {text} NOT NULL, leaf_index {int} NOT NULL, PRIMARY KEY (government, id), UNIQUE (id, government, proposed_by)) {strict};
CREATE TABLE proposal_end (government {text} NOT NULL, proposal_id {text} NOT NULL, proposed_by {text} NOT NULL, outcome {text} NOT NULL CHECK (outcome IN ('confirmed', 'withdrawn')),
  decided_by {text} NOT NULL, decided_at {text} NOT NULL, leaf_index {int} NOT NULL, PRIMARY KEY (government, proposal_id),
  CHECK (outcome = 'withdrawn' OR decided_by <> proposed_by),
  FOREIGN KEY (proposal_id, government, proposed_by) REFERENCES proposal (id, government, proposed_by)) {strict};
"""

JOURNALS = """
CREATE TABLE journal (government {text} NOT NULL, id {int} NOT NULL CHECK (id > 0), batch_seq {int} NOT NULL, leaf_index {int} NOT NULL, reference {text} NOT NULL CHECK (reference <> ''),
  kind {text} NOT NULL, source {text} NOT NULL CHECK (source IN ('feed', 'manual', 'document', 'bank')), fiscal_year {int} NOT NULL,
  period {int} NOT NULL CHECK (period BETWEEN 1 AND 14), effective_on {text} NOT NULL CHECK (length(effective_on) = 10), document_id {text} NOT NULL,
  document_no {text} NOT NULL, batch_no {text} NOT NULL, reverses {int}, maker {text} NOT NULL, poster {text} NOT NULL, description_c {text} NOT NULL,
  payee_name_c {text} NOT NULL, line_count {int} NOT NULL CHECK (line_count > 1), PRIMARY KEY (government, id),
  CHECK (source <> 'manual' OR maker <> poster), CHECK (reverses IS NULL OR reverses < id),
  CHECK (source <> 'feed' OR reverses IS NOT NULL OR lower(kind) NOT IN ('manual', 'opening', 'reversal'))) {strict};
CREATE UNIQUE INDEX journal_by_reference ON journal (reference, government);
CREATE UNIQUE INDEX journal_by_reverses ON journal (reverses, government) WHERE reverses IS NOT NULL;
CREATE INDEX journal_by_document ON journal (document_id, government) WHERE document_id <> '';
CREATE TABLE journal_line (government {text} NOT NULL, journal_id {int} NOT NULL, n {int} NOT NULL CHECK (n > 0), entity {text} NOT NULL,
  book {text} NOT NULL CHECK (book IN ('FIN', 'BUD')), account {text} NOT NULL, amount_sen {int} NOT NULL CHECK (amount_sen <> 0), bank_account {text} NOT NULL,
  counterpart {text} NOT NULL, fund_source {text} NOT NULL, budget_line {text} NOT NULL, payment_reference {text} NOT NULL, fiscal_year {int} NOT NULL, period {int} NOT NULL,
  effective_on {text} NOT NULL, batch_seq {int} NOT NULL, PRIMARY KEY (government, journal_id, n),
  CHECK ((account LIKE '1.1.01.01.%') = (bank_account <> '')), CHECK (budget_line = '' OR book = 'BUD'),
  {line_key} REFERENCES journal (government, id) DEFERRABLE INITIALLY DEFERRED) {strict};
CREATE INDEX journal_line_history ON journal_line (account, entity, effective_on, journal_id, government);
CREATE INDEX journal_line_cash ON journal_line (bank_account, effective_on, journal_id, n, government) WHERE bank_account <> '';
CREATE INDEX journal_line_budget ON journal_line (budget_line, journal_id, government) WHERE budget_line <> '';
CREATE TABLE account_balance (government {text} NOT NULL, chart_version {text} NOT NULL, entity {text} NOT NULL, book {text} NOT NULL, account {text} NOT NULL,
  bank_account {text} NOT NULL, counterpart {text} NOT NULL, fund_source {text} NOT NULL, balance_sen {int} NOT NULL DEFAULT 0,
  committed_sen {int} NOT NULL DEFAULT 0 CHECK (committed_sen >= 0), floor_sen {int} NOT NULL DEFAULT 0 CHECK (floor_sen <= 0),
  PRIMARY KEY (government, account, entity, book, chart_version, bank_account, counterpart, fund_source),
  CHECK (bank_account = '' OR balance_sen - committed_sen >= floor_sen), CHECK (bank_account <> '' OR (committed_sen = 0 AND floor_sen = 0))) {hot};
CREATE TABLE account_day (government {text} NOT NULL, entity {text} NOT NULL, book {text} NOT NULL, account {text} NOT NULL, bank_account {text} NOT NULL,
  counterpart {text} NOT NULL, fund_source {text} NOT NULL, fiscal_year {int} NOT NULL, period {int} NOT NULL, day {text} NOT NULL,
  debit_sen {int} NOT NULL CHECK (debit_sen >= 0), credit_sen {int} NOT NULL CHECK (credit_sen >= 0),
  PRIMARY KEY (government, account, entity, book, bank_account, counterpart, fund_source, fiscal_year, period, day)) {hot};
CREATE TABLE account_period (government {text} NOT NULL, entity {text} NOT NULL, book {text} NOT NULL, account {text} NOT NULL, bank_account {text} NOT NULL,
  counterpart {text} NOT NULL, fund_source {text} NOT NULL, fiscal_year {int} NOT NULL, period {int} NOT NULL, debit_sen {int} NOT NULL, credit_sen {int} NOT NULL,
  leaf_index {int} NOT NULL,
  PRIMARY KEY (government, entity, book, account, bank_account, counterpart, fund_source, fiscal_year, period)) {strict};
"""

# A line needs its journal at COMMIT. PostgreSQL checks a foreign key row by row, a fifth of the whole
# cost of a journal: there line 1 carries it for all, and the trigger refuses lines without a line 1.
LINE_KEY = {
    "sqlite": "FOREIGN KEY (government, journal_id)",
    "postgresql": "head_of {int} GENERATED ALWAYS AS (CASE WHEN n = 1 THEN journal_id END) STORED,"
    " FOREIGN KEY (government, head_of)",
}

BUDGET = """
CREATE TABLE release_bucket (government {text} NOT NULL, id {text} NOT NULL, fiscal_year {int} NOT NULL, level {text} NOT NULL CHECK (level IN ('line', 'sub_kegiatan', 'skpd')),
  released_sen {int} NOT NULL CHECK (released_sen >= 0), reserved_sen {int} NOT NULL DEFAULT 0 CHECK (reserved_sen >= 0), spent_sen {int} NOT NULL DEFAULT 0,
  allowance_sen {int} NOT NULL DEFAULT 0 CHECK (allowance_sen >= 0), PRIMARY KEY (government, id),
  CHECK (reserved_sen + spent_sen <= released_sen + allowance_sen)) {hot};
CREATE TABLE budget_line (government {text} NOT NULL, id {text} NOT NULL, fiscal_year {int} NOT NULL, skpd {text} NOT NULL, sub_kegiatan {text} NOT NULL, account {text} NOT NULL,
  fund_source {text} NOT NULL, bucket_id {text} NOT NULL, ceiling_sen {int} NOT NULL CHECK (ceiling_sen >= 0), reserved_sen {int} NOT NULL DEFAULT 0 CHECK (reserved_sen >= 0),
  spent_sen {int} NOT NULL DEFAULT 0, allowance_sen {int} NOT NULL DEFAULT 0 CHECK (allowance_sen >= 0), PRIMARY KEY (government, id),
  CHECK (reserved_sen + spent_sen <= ceiling_sen + allowance_sen),
  FOREIGN KEY (government, bucket_id) REFERENCES release_bucket (government, id)) {hot};
CREATE UNIQUE INDEX budget_line_by_code ON budget_line (fiscal_year, skpd, sub_kegiatan, account, fund_source, government);
CREATE TABLE budget_day (government {text} NOT NULL, budget_line {text} NOT NULL, kind {text} NOT NULL, day {text} NOT NULL, spent_sen {int} NOT NULL,
  PRIMARY KEY (government, budget_line, kind, day)) {hot};
CREATE TABLE budget_load (government {text} NOT NULL, n {int} NOT NULL, fiscal_year {int} NOT NULL, file_sha256 {text} NOT NULL, entries {int} NOT NULL, entries_sha256 {text} NOT NULL,
  loaded_by {text} NOT NULL, loaded_at {text} NOT NULL, leaf_index {int} NOT NULL, PRIMARY KEY (government, n)) {strict};
CREATE TABLE budget_load_entry (government {text} NOT NULL, load_n {int} NOT NULL, target {text} NOT NULL CHECK (target IN ('line', 'release')), id {text} NOT NULL,
  content {text} NOT NULL, amount_sen {int} NOT NULL, PRIMARY KEY (government, load_n, target, id)) {strict};
"""

DOCUMENTS = """
CREATE TABLE document (government {text} NOT NULL, id {text} NOT NULL, kind {text} NOT NULL CHECK (kind IN ('spm', 'sp2d', 'advice_list')), number {text} NOT NULL,
  external_number {text} NOT NULL, origin {text} NOT NULL CHECK (origin IN ('own', 'sipd', 'continuity')), fiscal_year {int} NOT NULL, skpd {text} NOT NULL,
  payment_kind {text} NOT NULL, bank_account {text} NOT NULL, parent_id {text} NOT NULL, dated_on {text} NOT NULL, gross_sen {int} NOT NULL CHECK (gross_sen >= 0),
  deduction_sen {int} NOT NULL CHECK (deduction_sen >= 0), net_sen {int} NOT NULL, revision {text} NOT NULL CHECK (length(revision) = 64), content {bytes} NOT NULL,
  issued_on {text} NOT NULL DEFAULT '', state {text} NOT NULL, state_n {int} NOT NULL, PRIMARY KEY (government, id), CHECK (net_sen = gross_sen - deduction_sen), CHECK (net_sen >= 0)) {hot};
CREATE UNIQUE INDEX document_by_number ON document (number, kind, fiscal_year, government) WHERE number <> '';
CREATE UNIQUE INDEX document_by_external_number ON document (external_number, kind, fiscal_year, government) WHERE external_number <> '';
CREATE INDEX document_by_parent ON document (parent_id, government) WHERE parent_id <> '';
CREATE UNIQUE INDEX document_by_live_parent ON document (parent_id, kind, government) WHERE parent_id <> '' AND state <> 'cancelled';
CREATE INDEX document_by_state ON document (kind, state, id, government);
CREATE TABLE document_line (government {text} NOT NULL, document_id {text} NOT NULL, n {int} NOT NULL, budget_line {text} NOT NULL, expense_account {text} NOT NULL,
  amount_sen {int} NOT NULL CHECK (amount_sen > 0), PRIMARY KEY (government, document_id, n),
  FOREIGN KEY (government, document_id) REFERENCES document (government, id)) {strict};
CREATE TABLE document_deduction (government {text} NOT NULL, document_id {text} NOT NULL, n {int} NOT NULL, account {text} NOT NULL, amount_sen {int} NOT NULL CHECK (amount_sen > 0),
  reduces_payment {int} NOT NULL CHECK (reduces_payment IN (0, 1)), billing_c {text} NOT NULL, PRIMARY KEY (government, document_id, n),
  FOREIGN KEY (government, document_id) REFERENCES document (government, id)) {strict};
CREATE TABLE payee (government {text} NOT NULL, document_id {text} NOT NULL, n {int} NOT NULL, subject {text} NOT NULL, name_c {text} NOT NULL, bank_code {text} NOT NULL,
  account_c {text} NOT NULL, npwp_c {text} NOT NULL, gross_sen {int} NOT NULL CHECK (gross_sen > 0), deduction_sen {int} NOT NULL CHECK (deduction_sen >= 0), net_sen {int} NOT NULL,
  PRIMARY KEY (government, document_id, n), CHECK (net_sen = gross_sen - deduction_sen), CHECK (net_sen >= 0),
  FOREIGN KEY (government, document_id) REFERENCES document (government, id)) {strict};
CREATE TABLE document_move (government {text} NOT NULL, document_id {text} NOT NULL, n {int} NOT NULL CHECK (n > 0), move {text} NOT NULL, state_from {text} NOT NULL, state_to {text} NOT NULL,
  person_id {text} NOT NULL, role {text} NOT NULL, hand {text} NOT NULL CHECK (hand IN ('', 'signer', 'maker', 'verifier', 'approver')), on_day {text} NOT NULL, reason_c {text} NOT NULL, checks {bytes} NOT NULL, envelope {bytes} NOT NULL, nonce {text} NOT NULL,
  journal_id {int}, leaf_index {int} NOT NULL, PRIMARY KEY (government, document_id, n),
  FOREIGN KEY (government, document_id) REFERENCES document (government, id)) {strict};
CREATE UNIQUE INDEX document_move_by_hand ON document_move (document_id, person_id, government) WHERE hand IN ('maker', 'verifier', 'approver');
CREATE UNIQUE INDEX document_move_by_nonce ON document_move (nonce, government) WHERE nonce <> '';
CREATE TABLE payment (government {text} NOT NULL, id {text} NOT NULL, document_id {text} NOT NULL, payee_n {int} NOT NULL, attempt {int} NOT NULL CHECK (attempt > 0),
  advice_list_id {text} NOT NULL, partner_reference {text} NOT NULL CHECK (partner_reference <> ''), bank_account {text} NOT NULL, name_c {text} NOT NULL, bank_code {text} NOT NULL,
  account_c {text} NOT NULL, amount_sen {int} NOT NULL CHECK (amount_sen > 0), recognition {text} NOT NULL CHECK (recognition IN ('on_issue', 'on_cair')),
  basis {text} NOT NULL CHECK (basis IN ('order', 'retur')),
  state {text} NOT NULL CHECK (state IN ('', 'held', 'queued', 'sent', 'accepted', 'paid', 'rejected', 'returned', 'recalled', 'cancelled', 'unknown')), state_n {int} NOT NULL,
  PRIMARY KEY (government, id), FOREIGN KEY (government, document_id, payee_n) REFERENCES payee (government, document_id, n)) {hot};
CREATE UNIQUE INDEX payment_by_reference ON payment (partner_reference, government);
CREATE UNIQUE INDEX payment_by_attempt ON payment (document_id, payee_n, attempt, government);
CREATE INDEX payment_by_list ON payment (advice_list_id, government);
CREATE TABLE payment_move (government {text} NOT NULL, payment_id {text} NOT NULL, n {int} NOT NULL CHECK (n > 0), state_from {text} NOT NULL, state_to {text} NOT NULL, person_id {text} NOT NULL,
  on_day {text} NOT NULL, evidence_sha256 {text} NOT NULL, reason_c {text} NOT NULL, journal_id {int}, leaf_index {int} NOT NULL, PRIMARY KEY (government, payment_id, n),
  FOREIGN KEY (government, payment_id) REFERENCES payment (government, id)) {strict};
CREATE TABLE number_series (government {text} NOT NULL, fiscal_year {int} NOT NULL, series {text} NOT NULL, last {int} NOT NULL CHECK (last >= 0),
  PRIMARY KEY (government, fiscal_year, series)) {hot};
CREATE TABLE idempotency (government {text} NOT NULL, person_id {text} NOT NULL, key {text} NOT NULL, route {text} NOT NULL, request_c {text} NOT NULL, request {text} NOT NULL,
  status {int} NOT NULL, answer {bytes} NOT NULL, batch_seq {int} NOT NULL, recorded_at {text} NOT NULL, PRIMARY KEY (government, person_id, key)) {strict};
"""

# Append-only tables and all their unique keys.
FROZEN: dict[str, tuple[tuple[str, ...], ...]] = {
    "batch": (("government", "seq"),),
    "log_leaf": (("government", "idx"),),
    "log_shard": (("government", "n"),),
    "log_node": (("government", "origin", "level", "idx"),),
    "checkpoint": (("government", "origin", "size"),),
    "government": (("code",),),
    "chart": (("government", "version"),),
    "account": (("government", "chart_version", "code"),),
    "entity": (("government", "code"),),
    "bank_account": (("government", "id"),),
    "fiscal_year": (("government", "year"),),
    "policy": (("government", "name", "valid_from", "value"),),
    "period_seal": (("government", "fiscal_year", "period"),),
    "person": (("government", "id"),),
    "grant_given": (("government", "id"),),
    "grant_end": (("government", "grant_id"),),
    "officer_key": (("government", "key_id"),),
    "officer_key_end": (("government", "key_id"),),
    "token": (("government", "id"), ("government", "token_sha256")),
    "token_end": (("government", "token_id"),),
    "proposal": (("government", "id"),),
    "proposal_end": (("government", "proposal_id"),),
    "journal": (("government", "id"), ("government", "reference"), ("government", "reverses")),
    "journal_line": (("government", "journal_id", "n"),),
    "account_period": (
        (
            "government",
            "entity",
            "book",
            "account",
            "bank_account",
            "counterpart",
            "fund_source",
            "fiscal_year",
            "period",
        ),
    ),
    "budget_load": (("government", "n"),),
    "budget_load_entry": (("government", "load_n", "target", "id"),),
    "document_line": (("government", "document_id", "n"),),
    "document_deduction": (("government", "document_id", "n"),),
    "payee": (("government", "document_id", "n"),),
    # Its other unique keys have empty values; 0003 guards them.
    "document_move": (("government", "document_id", "n"),),
    "payment_move": (("government", "payment_id", "n"),),
    "idempotency": (("government", "person_id", "key"),),
}

# Tables whose counters move: key, then the other columns that never change.
COUNTERS: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "log_edge": (
        ("government",),
        (),
        # The origin and the base move when the log goes on as a new shard; `log_shard` keeps them.
        (
            "origin",
            "base",
            "size",
            "edge",
            "batch_seq",
            "journal_count",
            "recorded_at",
            "config_rev",
        ),
    ),
    "account_balance": (
        (
            "government",
            "chart_version",
            "entity",
            "book",
            "account",
            "bank_account",
            "counterpart",
            "fund_source",
        ),
        (),
        ("balance_sen", "committed_sen", "floor_sen"),
    ),
    "account_day": (
        (
            "government",
            "entity",
            "book",
            "account",
            "bank_account",
            "counterpart",
            "fund_source",
            "fiscal_year",
            "period",
            "day",
        ),
        (),
        ("debit_sen", "credit_sen"),
    ),
    "release_bucket": (
        ("government", "id"),
        ("fiscal_year", "level"),
        ("released_sen", "reserved_sen", "spent_sen", "allowance_sen"),
    ),
    "budget_line": (
        ("government", "id"),
        ("fiscal_year", "skpd", "sub_kegiatan", "account", "fund_source", "bucket_id"),
        ("ceiling_sen", "reserved_sen", "spent_sen", "allowance_sen"),
    ),
    "budget_day": (("government", "budget_line", "kind", "day"), (), ("spent_sen",)),
    "document": (
        ("government", "id"),
        (
            "kind",
            "origin",
            "fiscal_year",
            "skpd",
            "payment_kind",
            "bank_account",
            "parent_id",
            "dated_on",
            "gross_sen",
            "deduction_sen",
            "net_sen",
            "revision",
            "content",
        ),
        ("number", "external_number", "issued_on", "state", "state_n"),
    ),
    "payment": (
        ("government", "id"),
        (
            "document_id",
            "payee_n",
            "attempt",
            "partner_reference",
            "bank_account",
            "name_c",
            "bank_code",
            "account_c",
            "amount_sen",
            "recognition",
            "basis",
        ),
        ("advice_list_id", "state", "state_n"),
    ),
    "number_series": (("government", "fiscal_year", "series"), (), ("last",)),
}


def upgrade() -> None:
    """Create everything, then the triggers, then the grants."""
    journals = JOURNALS.replace(
        "{line_key}", LINE_KEY["postgresql" if is_postgresql() else "sqlite"]
    )
    for block in (LOG, BOOK, PEOPLE, journals, BUDGET, DOCUMENTS):
        for statement in block.split(";\n"):
            if statement.strip():
                create_table(statement)
    if is_postgresql():
        _postgresql_rules()
    else:
        _sqlite_rules()
    for table, keys in FROZEN.items():
        append_only(table, *keys)
    append_only("private_value", ("government", "commitment"), deletable=True)
    for table, (key, fixed, _) in COUNTERS.items():
        counters(table, key, fixed)
    _grants()


def _grants() -> None:
    app = context.config.attributes.get("app_role")
    reader = context.config.attributes.get("reader_role")
    everything = [*FROZEN, *COUNTERS, "private_value"]
    grant(app, "SELECT, INSERT", everything)
    grant(app, "DELETE", ["private_value"])
    for table, (_, _, moving) in COUNTERS.items():
        grant(app, f"UPDATE ({', '.join(moving)})", [table])
    grant(app, "SELECT", ["alembic_version"])
    # The reader sees the books, never the private values nor the tokens.
    closed = {"private_value", "token", "idempotency"}
    grant(reader, "SELECT", [table for table in everything if table not in closed])


def _postgresql_rules() -> None:
    execute(
        "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $body$ BEGIN"
        " RAISE EXCEPTION 'rkud:append_only % refuses %', TG_TABLE_NAME, TG_OP"
        " USING ERRCODE = 'integrity_constraint_violation'; END $body$"
    )
    # A leaf's hash is the hash of its bytes, and indices have no gap.
    execute(
        "ALTER TABLE log_leaf ADD CONSTRAINT log_leaf_hash CHECK (leaf_hash = sha256('\\x00'::bytea || body))"
    )
    postgresql_function(
        "check_new_leaves",
        "bad bigint;",
        """
  SELECT n.idx INTO bad FROM (SELECT government, min(idx) AS idx, max(idx) - min(idx) + 1 - count(*) AS gap FROM new_leaves GROUP BY government) n
    LEFT JOIN LATERAL (SELECT 1 AS ok FROM log_leaf l WHERE l.government = n.government AND l.idx = n.idx - 1 OFFSET 0) l ON true
    LEFT JOIN LATERAL (SELECT 1 AS ok FROM log_shard s WHERE s.government = n.government AND s.base = n.idx OFFSET 0) s ON true
    WHERE n.gap <> 0 OR (l.ok IS NULL AND s.ok IS NULL) LIMIT 1;
  IF FOUND THEN RAISE EXCEPTION 'rkud:leaf_gap before leaf %', bad USING ERRCODE = 'integrity_constraint_violation'; END IF;""",
    )
    statement_trigger("log_leaf_new", "log_leaf", "check_new_leaves", "new_leaves")
    # Lines: the edge lock first, or a second session could slip lines under a journal that this one
    # has not committed yet. Then every line must stand on a postable account, an entity and a bank
    # account that exist, and never be added to a journal that is complete.
    postgresql_function(
        "check_new_lines",
        "bad text; chart record;",
        """
  PERFORM 1 FROM log_edge e WHERE e.government IN (SELECT government FROM new_lines) ORDER BY e.government FOR UPDATE;
  SELECT t.journal_id::text INTO bad FROM (SELECT DISTINCT government, journal_id FROM new_lines) t
    CROSS JOIN LATERAL (SELECT j.line_count FROM journal j WHERE j.government = t.government AND j.id = t.journal_id OFFSET 0) j
    CROSS JOIN LATERAL (SELECT count(*) AS c FROM journal_line l WHERE l.government = t.government AND l.journal_id = t.journal_id) s
    WHERE s.c <> j.line_count LIMIT 1;
  IF FOUND THEN RAISE EXCEPTION 'rkud:journal_complete journal % takes no more lines', bad USING ERRCODE = 'integrity_constraint_violation'; END IF;
  SELECT t.journal_id::text INTO bad FROM (SELECT government, journal_id FROM new_lines GROUP BY government, journal_id HAVING NOT bool_or(n = 1)) t
    LEFT JOIN LATERAL (SELECT 1 AS ok FROM journal_line l WHERE l.government = t.government AND l.journal_id = t.journal_id AND l.n = 1 OFFSET 0) l ON true
    WHERE l.ok IS NULL LIMIT 1;
  IF FOUND THEN RAISE EXCEPTION 'rkud:line_without_first journal % has no line 1', bad USING ERRCODE = 'integrity_constraint_violation'; END IF;
  FOR chart IN SELECT t.government, t.fiscal_year, f.chart_version FROM (SELECT DISTINCT government, fiscal_year FROM new_lines) t
      LEFT JOIN fiscal_year f ON f.government = t.government AND f.year = t.fiscal_year LOOP
    SELECT t.account INTO bad FROM (SELECT DISTINCT account FROM new_lines WHERE government = chart.government AND fiscal_year = chart.fiscal_year) t
      LEFT JOIN LATERAL (SELECT 1 AS ok FROM account a WHERE a.code = t.account AND a.chart_version = chart.chart_version
        AND a.government = chart.government AND a.level = 6 OFFSET 0) a ON true WHERE a.ok IS NULL LIMIT 1;
    IF FOUND THEN RAISE EXCEPTION 'rkud:unknown_account % is not a postable account of the year', bad USING ERRCODE = 'integrity_constraint_violation'; END IF;
  END LOOP;
  SELECT t.entity INTO bad FROM (SELECT DISTINCT government, entity FROM new_lines) t
    WHERE NOT EXISTS (SELECT FROM entity e WHERE e.government = t.government AND e.code = t.entity) LIMIT 1;
  IF FOUND THEN RAISE EXCEPTION 'rkud:unknown_entity %', bad USING ERRCODE = 'integrity_constraint_violation'; END IF;
  SELECT t.bank_account INTO bad FROM (SELECT DISTINCT government, bank_account FROM new_lines WHERE bank_account <> '') t
    WHERE NOT EXISTS (SELECT FROM bank_account b WHERE b.government = t.government AND b.id = t.bank_account) LIMIT 1;
  IF FOUND THEN RAISE EXCEPTION 'rkud:unknown_bank_account %', bad USING ERRCODE = 'integrity_constraint_violation'; END IF;""",
    )
    statement_trigger("journal_line_new", "journal_line", "check_new_lines", "new_lines")
    postgresql_function(
        "check_new_journals",
        "bad bigint; mirrors boolean;",
        """
  SELECT min(t.id) FILTER (WHERE s.n IS DISTINCT FROM t.line_count::int OR s.uneven OR s.differs), bool_or(s.mirrors) INTO bad, mirrors
    FROM new_journals t LEFT JOIN LATERAL (
      SELECT sum(c)::int AS n, bool_or(a <> 0) AS uneven, bool_or(x) AS differs, bool_or(r) AS mirrors FROM (
        SELECT count(*) AS c, sum(l.amount_sen) AS a, bool_or(l.fiscal_year <> t.fiscal_year OR l.period <> t.period
            OR l.effective_on <> t.effective_on OR l.batch_seq <> t.batch_seq) AS x, bool_or(l.account LIKE '1.1.13.%' OR l.account LIKE '3.1.03.%') AS r
          FROM journal_line l WHERE l.government = t.government AND l.journal_id = t.id GROUP BY l.entity, l.book) g) s ON true;
  IF bad IS NOT NULL THEN RAISE EXCEPTION 'rkud:unbalanced_journal journal % has uneven, missing or foreign lines', bad USING ERRCODE = 'integrity_constraint_violation'; END IF;
  IF mirrors THEN
    SELECT t.id INTO bad FROM new_journals t CROSS JOIN LATERAL (
        SELECT 1 FROM journal_line l WHERE l.government = t.government AND l.journal_id = t.id AND (l.account LIKE '1.1.13.%' OR l.account LIKE '3.1.03.%')
          GROUP BY CASE WHEN l.account LIKE '1.1.13.%' THEN l.counterpart ELSE l.entity END HAVING sum(l.amount_sen) <> 0) s LIMIT 1;
    IF FOUND THEN RAISE EXCEPTION 'rkud:reciprocal_mismatch journal % does not mirror RK SKPD in RK PPKD', bad USING ERRCODE = 'integrity_constraint_violation'; END IF;
  END IF;
  SELECT t.period INTO bad FROM (SELECT DISTINCT government, fiscal_year, period FROM new_journals) t WHERE EXISTS (SELECT FROM period_seal p
      WHERE p.government = t.government AND p.fiscal_year = t.fiscal_year AND p.period = t.period) LIMIT 1;
  IF FOUND THEN RAISE EXCEPTION 'rkud:period_sealed period %', bad USING ERRCODE = 'integrity_constraint_violation'; END IF;
  SELECT t.id INTO bad FROM new_journals t LEFT JOIN LATERAL (SELECT l.kind FROM log_leaf l WHERE l.government = t.government AND l.idx = t.leaf_index OFFSET 0) l ON true
    WHERE l.kind IS DISTINCT FROM 'journal.posted' LIMIT 1;
  IF FOUND THEN RAISE EXCEPTION 'rkud:journal_without_leaf journal %', bad USING ERRCODE = 'integrity_constraint_violation'; END IF;""",
    )
    statement_trigger("journal_new", "journal", "check_new_journals", "new_journals")


def _sqlite_rules() -> None:
    sqlite_trigger(
        "log_leaf_new",
        "BEFORE INSERT ON log_leaf WHEN NOT EXISTS (SELECT 1 FROM log_leaf l"
        " WHERE l.government = NEW.government AND l.idx = NEW.idx - 1)"
        " AND NOT EXISTS (SELECT 1 FROM log_shard s WHERE s.government = NEW.government AND s.base = NEW.idx)",
        "SELECT RAISE(ABORT, 'rkud:leaf_gap a leaf is missing before this one');",
    )
    sqlite_trigger(
        "journal_line_new",
        "BEFORE INSERT ON journal_line",
        """
  SELECT RAISE(ABORT, 'rkud:journal_complete the journal takes no more lines')
    WHERE EXISTS (SELECT 1 FROM journal j WHERE j.government = NEW.government AND j.id = NEW.journal_id);
  SELECT RAISE(ABORT, 'rkud:unknown_account not a postable account of the year')
    WHERE NOT EXISTS (SELECT 1 FROM fiscal_year f JOIN account a ON a.government = f.government AND a.chart_version = f.chart_version
      AND a.code = NEW.account WHERE f.government = NEW.government AND f.year = NEW.fiscal_year AND a.level = 6);
  SELECT RAISE(ABORT, 'rkud:unknown_entity')
    WHERE NOT EXISTS (SELECT 1 FROM entity e WHERE e.government = NEW.government AND e.code = NEW.entity);
  SELECT RAISE(ABORT, 'rkud:unknown_bank_account')
    WHERE NEW.bank_account <> '' AND NOT EXISTS (SELECT 1 FROM bank_account b WHERE b.government = NEW.government AND b.id = NEW.bank_account);""",
    )
    sqlite_trigger(
        "journal_new",
        "BEFORE INSERT ON journal",
        """
  SELECT RAISE(ABORT, 'rkud:unbalanced_journal missing lines')
    WHERE (SELECT count(*) FROM journal_line l WHERE l.government = NEW.government AND l.journal_id = NEW.id) <> NEW.line_count;
  SELECT RAISE(ABORT, 'rkud:unbalanced_journal foreign lines') WHERE EXISTS (SELECT 1 FROM journal_line l WHERE l.government = NEW.government
    AND l.journal_id = NEW.id AND (l.fiscal_year <> NEW.fiscal_year OR l.period <> NEW.period OR l.effective_on <> NEW.effective_on OR l.batch_seq <> NEW.batch_seq));
  SELECT RAISE(ABORT, 'rkud:unbalanced_journal uneven lines') WHERE EXISTS (SELECT 1 FROM journal_line l WHERE l.government = NEW.government
    AND l.journal_id = NEW.id GROUP BY l.entity, l.book HAVING sum(l.amount_sen) <> 0);
  SELECT RAISE(ABORT, 'rkud:reciprocal_mismatch RK SKPD is not mirrored in RK PPKD') WHERE EXISTS (SELECT 1 FROM journal_line l
    WHERE l.government = NEW.government AND l.journal_id = NEW.id AND (l.account LIKE '1.1.13.%' OR l.account LIKE '3.1.03.%')
    GROUP BY CASE WHEN l.account LIKE '1.1.13.%' THEN l.counterpart ELSE l.entity END HAVING sum(l.amount_sen) <> 0);
  SELECT RAISE(ABORT, 'rkud:period_sealed') WHERE EXISTS (SELECT 1 FROM period_seal p WHERE p.government = NEW.government
    AND p.fiscal_year = NEW.fiscal_year AND p.period = NEW.period);
  SELECT RAISE(ABORT, 'rkud:journal_without_leaf') WHERE NOT EXISTS (SELECT 1 FROM log_leaf l WHERE l.government = NEW.government
    AND l.idx = NEW.leaf_index AND l.kind = 'journal.posted');""",
    )
