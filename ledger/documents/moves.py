"""
What may be done to a document, by whom, from which state: the table.

A move is an act by one person. `roles` are the grants of which one is needed; `hand` says which of
the hands of a payment it is (SOD-1), `signs` that the officer's own signature is part of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ledger.documents.errors import DocumentMoveNotAllowedError

__all__ = ["MOVES", "Move", "allowed_moves", "find_move"]


@dataclass(frozen=True, slots=True)
class Move:
    """One row of the table. `sources` are the states it starts from; "" is a new document."""

    kind: str
    name: str
    sources: tuple[str, ...]
    target: str
    roles: tuple[str, ...]
    hand: str = ""
    signs: bool = False
    origins: tuple[str, ...] = ("own", "sipd", "continuity")

    @property
    def act(self) -> str:
        """What an officer's statement calls it: `sp2d.sign`."""
        return f"{self.kind}.{self.name}"


_OWN: Final = ("own", "continuity")

MOVES: Final[tuple[Move, ...]] = (
    # SPM: the SKPD orders, the treasury accepts (room is reserved) or refuses.
    Move("spm", "register", ("",), "registered", ("budget_user", "sp2d_maker")),
    Move("spm", "sign", ("registered",), "signed", ("budget_user",), "signer", True, _OWN),
    Move("spm", "accept", ("signed",), "accepted", ("sp2d_maker",), origins=_OWN),
    Move("spm", "accept", ("registered",), "accepted", ("sp2d_maker",), origins=("sipd",)),
    Move(
        "spm", "refuse", ("registered", "signed"), "refused", ("sp2d_verifier", "deputy_treasurer")
    ),
    Move("spm", "return", ("accepted",), "returned", ("deputy_treasurer",)),
    # SP2D: three hands, then money may leave through an advice list.
    Move("sp2d", "draft", ("",), "drafted", ("sp2d_maker",), "maker", origins=_OWN),
    Move("sp2d", "verify", ("drafted",), "verified", ("sp2d_verifier",), "verifier", True, _OWN),
    Move("sp2d", "sign", ("verified",), "signed", ("deputy_treasurer",), "approver", True, _OWN),
    Move("sp2d", "import", ("",), "signed", ("sp2d_maker",), "maker", origins=("sipd",)),
    Move(
        "sp2d",
        "discard",
        ("drafted", "verified"),
        "cancelled",
        ("sp2d_maker", "sp2d_verifier", "deputy_treasurer"),
    ),
    Move(
        "sp2d",
        "request_cancel",
        ("signed",),
        "cancel_requested",
        ("sp2d_maker", "sp2d_verifier", "deputy_treasurer"),
    ),
    Move(
        "sp2d",
        "withdraw_cancel",
        ("cancel_requested",),
        "signed",
        ("sp2d_maker", "sp2d_verifier", "deputy_treasurer"),
    ),
    Move("sp2d", "cancel", ("cancel_requested",), "cancelled", ("deputy_treasurer",)),
    Move("sp2d", "link", ("signed",), "signed", ("sp2d_maker",), origins=("continuity",)),
    # Advice list: the only way a payment leaves; two hands, neither of whom made the payments.
    Move("advice_list", "draft", ("",), "drafted", ("sp2d_maker", "sp2d_verifier")),
    Move("advice_list", "verify", ("drafted",), "verified", ("sp2d_verifier",), "verifier", True),
    Move("advice_list", "sign", ("verified",), "signed", ("deputy_treasurer",), "approver", True),
    Move("advice_list", "send", ("signed",), "sent", ("sp2d_maker", "deputy_treasurer")),
    Move(
        "advice_list",
        "discard",
        ("drafted", "verified"),
        "discarded",
        ("sp2d_maker", "sp2d_verifier", "deputy_treasurer"),
    ),
)


def allowed_moves(kind: str, state: str, origin: str) -> list[str]:
    """Names of the moves that this state allows."""
    return [m.name for m in MOVES if m.kind == kind and state in m.sources and origin in m.origins]


def find_move(kind: str, name: str, *, document: str, state: str, origin: str) -> Move:
    """The row of the table. Raises DocumentMoveNotAllowedError."""
    for move in MOVES:
        named = (move.kind, move.name) == (kind, name)
        if named and state in move.sources and origin in move.origins:
            return move
    raise DocumentMoveNotAllowedError(
        document=document, move=name, state=state, allowed=allowed_moves(kind, state, origin)
    )
