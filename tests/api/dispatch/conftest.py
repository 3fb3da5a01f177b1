"""Treasuries on both engines, as the tests of documents have them."""

from tests.ledger.documents.conftest import (  # noqa: F401  # fixtures
    _postgres_offices,
    _sqlite_offices,
    office,
    office_database,
    office_engine,
    offices,
    on_cair,
    on_issue,
)
