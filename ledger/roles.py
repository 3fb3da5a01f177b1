"""
Roles that a person may be granted, and which of them may not meet in one person.

Identifiers follow the glossary (docs/glossary.md). A grant is dated, may be limited to one SKPD and
may rest on a mandate as acting officer (Plt, Plh).
"""

from __future__ import annotations

from typing import Final

__all__ = ["EXCLUSIVE", "READ_ROLES", "ROLES"]

ROLES: Final[dict[str, str]] = {
    "admin": "persons, grants, keys, tokens and settings; no financial right",
    "budget_officer": "loads budget and releases (SPD)",
    "budget_user": "PA or KPA: signs the SPM of an SKPD",
    "sp2d_maker": "prepares the SP2D (operator of the Kuasa BUD)",
    "sp2d_verifier": "verifies the SP2D",
    "deputy_treasurer": "Kuasa BUD: signs SP2D and advice list, cancels, sets allowances",
    "accountant": "drafts and posts manual journals, seals periods",
    "receipts_officer": "books receipts (STS) and bank facts",
    "feed": "feeds journals of another system",
    "reconciler": "loads statements, reconciles, records what the bank says of a payment",
    "dispatcher": "sends signed orders to the bank and records its answers: the worker's own grant",
    "inspector": "reads everything, writes nothing",
}

#: An administrator holds no financial role, an inspector no role that writes (SOD-8).
EXCLUSIVE: Final[dict[str, frozenset[str]]] = {
    "admin": frozenset(ROLES) - {"admin"},
    "inspector": frozenset(ROLES) - {"inspector"},
}

#: Who sees personal data. An administrator and a feed have no need of it.
READ_ROLES: Final = (
    "budget_user",
    "sp2d_maker",
    "sp2d_verifier",
    "deputy_treasurer",
    "accountant",
    "receipts_officer",
    "reconciler",
    "inspector",
)
