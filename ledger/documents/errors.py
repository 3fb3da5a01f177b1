"""
What documents and payments refuse, by name.

    DocumentError
    ├── UnknownDocumentError           no such document
    ├── UnknownPaymentError            no such payment
    ├── PaymentKindNotSupportedError   a kind whose rules are not here yet
    ├── DocumentMoveNotAllowedError    the document's state does not allow the move
    ├── PaymentMoveNotAllowedError     the payment's state does not allow the outcome
    ├── TotalsMismatchError            lines, deductions and payees do not add up (C06)
    ├── ExternalNumberTakenError       another document has this number
    ├── SpmNotAcceptedError            the SPM was not accepted, or was returned (C01)
    ├── SpmUsedError                   the SPM has an SP2D already (C01)
    ├── SpmOutOfDateError              the SPM is of another fiscal year, or later than today (C13)
    ├── EnvelopeRequiredError          the move needs the officer's signature
    ├── SignatureRefusedError          not a signature of this officer's enrolled key
    ├── StatementMismatchError         what was signed is not this document, act or revision
    ├── NonceUsedError                 the signed statement was used before
    ├── NothingToPayError              no payment waits for an advice list
    ├── PaymentNotHeldError            a payment is in a list, or its SP2D may not be paid now
    ├── MayBeWithBankError             the order's file may have been handed over
    ├── NoCallError                    the bank was never called for this payment
    ├── NotByFileError                 the list's orders leave by the bank's interface
    ├── SettlingNeedsTwoPersonsError   a person's word on what may be with the bank
    ├── SettlementOutOfDateError       the books have heard of the payment since it was proposed
    ├── PaymentNotListedError          an answer names a payment that is not in the list
    ├── AnswerContradictsError         an answer denies what is recorded of a payment
    ├── PaymentAnsweredError           a file would ask for a payment that has had its answer
    ├── AlreadySoError                 held, let go, paused or going on as it is
    ├── NumberFormatError              the government's number pattern has no place for the serial
    └── TextErasedError                a private text that the act needs was erased
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ledger.errors import LedgerError

__all__ = [
    "AlreadySoError",
    "AnswerContradictsError",
    "DocumentError",
    "DocumentMoveNotAllowedError",
    "EnvelopeRequiredError",
    "ExternalNumberTakenError",
    "MayBeWithBankError",
    "NoCallError",
    "NonceUsedError",
    "NotByFileError",
    "NothingToPayError",
    "NumberFormatError",
    "PaymentAnsweredError",
    "PaymentKindNotSupportedError",
    "PaymentMoveNotAllowedError",
    "PaymentNotHeldError",
    "PaymentNotListedError",
    "SettlementOutOfDateError",
    "SettlingNeedsTwoPersonsError",
    "SignatureRefusedError",
    "SpmNotAcceptedError",
    "SpmOutOfDateError",
    "SpmUsedError",
    "StatementMismatchError",
    "TextErasedError",
    "TotalsMismatchError",
    "UnknownDocumentError",
    "UnknownPaymentError",
]


class DocumentError(LedgerError):
    """Base of what documents and payments refuse."""


class UnknownDocumentError(DocumentError):
    """No such document of this kind."""

    def __init__(self, *, document: str, kind: str) -> None:
        super().__init__(f"{kind} {document} does not exist", document=document, kind=kind)


class UnknownPaymentError(DocumentError):
    """No payment has this reference."""

    def __init__(self, *, payment: str) -> None:
        super().__init__(f"payment {payment} does not exist", payment=payment)


class AlreadySoError(DocumentError):
    """What was asked for is so already: somebody else was quicker, or it is asked twice."""

    def __init__(self, *, what: str, state: str) -> None:
        super().__init__(f"{what} is {state} already", what=what, state=state)


class MayBeWithBankError(DocumentError):
    """The file of a signed list may be with the bank, whatever is recorded: only the bank can tell."""

    def __init__(self, *, payment: str) -> None:
        super().__init__(
            f"payment {payment} leaves by a file that may be with the bank already: ask the bank,"
            " and record its answer",
            payment=payment,
        )


class NoCallError(DocumentError):
    """An answer needs a call; what a person learns of a payment is recorded by hand."""

    def __init__(self, *, payment: str) -> None:
        super().__init__(f"the bank was never called for payment {payment}", payment=payment)


class NotByFileError(DocumentError):
    """Orders that leave through a bank's interface must not leave by a file too."""

    def __init__(self, *, document: str, bank_account: str, channel: str) -> None:
        super().__init__(
            f"the orders of {document} leave {bank_account} by {channel}, not by a file",
            document=document,
            bank_account=bank_account,
            channel=channel,
        )


class SettlingNeedsTwoPersonsError(DocumentError):
    """What nobody knows, or left by the bank's interface, is settled by two reconcilers (`:settle`)."""

    def __init__(self, *, payment: str, state: str) -> None:
        super().__init__(
            f"payment {payment} is {state} and may be with the bank: one reconciler proposes what"
            " became of it, another confirms",
            payment=payment,
            state=state,
        )


class SettlementOutOfDateError(DocumentError):
    """The books have heard of the payment since its settlement was proposed; look again."""

    def __init__(self, *, payment: str, state: str, proposal: str, leaf_index: int) -> None:
        super().__init__(
            f"payment {payment} is {state}, and leaf {leaf_index} spoke of it after proposal {proposal}"
            " was made: withdraw it, look again, propose anew",
            payment=payment,
            state=state,
            proposal=proposal,
            leaf_index=leaf_index,
        )


class PaymentKindNotSupportedError(DocumentError):
    """A kind of payment whose rules this release does not have."""

    final = True

    def __init__(self, *, payment_kind: str, supported: Sequence[str]) -> None:
        super().__init__(
            f"payment kind {payment_kind} is not supported; supported: {', '.join(supported)}",
            payment_kind=payment_kind,
            supported=list(supported),
        )


class DocumentMoveNotAllowedError(DocumentError):
    """The table of moves has no such move from this state."""

    def __init__(self, *, document: str, move: str, state: str, allowed: Sequence[str]) -> None:
        super().__init__(
            f"{document} is {state or 'new'}; {move} is not allowed"
            f" (allowed: {', '.join(allowed) or 'nothing'})",
            document=document,
            move=move,
            state=state,
            allowed=list(allowed),
        )


class PaymentMoveNotAllowedError(DocumentError):
    """The table of payment states has no such step."""

    def __init__(self, *, payment: str, state: str, outcome: str, allowed: Sequence[str]) -> None:
        super().__init__(
            f"payment {payment} is {state} and can't become {outcome}"
            f" (can: {', '.join(allowed) or 'nothing'})",
            payment=payment,
            state=state,
            outcome=outcome,
            allowed=list(allowed),
        )


class TotalsMismatchError(DocumentError):
    """C06: two sums that must be the same are not."""

    final = True

    def __init__(self, *, what: str, expected: str, actual: str) -> None:
        super().__init__(
            f"{what}: {actual}, expected {expected}", what=what, expected=expected, actual=actual
        )


class ExternalNumberTakenError(DocumentError):
    """Foreign numbers are unique per kind and fiscal year."""

    def __init__(self, *, number: str, document: str) -> None:
        super().__init__(f"number {number} is {document} already", number=number, document=document)


class SpmNotAcceptedError(DocumentError):
    """C01: only an accepted SPM becomes an SP2D."""

    def __init__(self, *, spm: str, state: str) -> None:
        super().__init__(f"{spm} is {state}, not accepted", spm=spm, state=state)


class SpmUsedError(DocumentError):
    """C01: an SPM is used once; what was cancelled after signing needs a new SPM."""

    def __init__(self, *, spm: str, sp2d: str) -> None:
        super().__init__(f"{spm} was used for {sp2d}", spm=spm, sp2d=sp2d)


class SpmOutOfDateError(DocumentError):
    """C13: the order is of another fiscal year, or dated after today."""

    def __init__(self, *, spm: str, dated_on: str, today: str) -> None:
        super().__init__(
            f"{spm} is dated {dated_on}, which does not fit {today}",
            spm=spm,
            dated_on=dated_on,
            today=today,
        )


class EnvelopeRequiredError(DocumentError):
    """The move is signed with the officer's own key."""

    final = True

    def __init__(self, *, act: str) -> None:
        super().__init__(f"{act} needs the officer's signed envelope", act=act)


class SignatureRefusedError(DocumentError):
    """Not a well-formed signature by a key that this officer holds now."""

    def __init__(self, *, reason: str, officer: str) -> None:
        super().__init__(f"the signature is refused: {reason}", reason=reason, officer=officer)


class StatementMismatchError(DocumentError):
    """The signed statement says something else than what is about to be done."""

    def __init__(self, *, member: str, expected: str, signed: str) -> None:
        super().__init__(
            f"the signed statement has another {member}",
            member=member,
            expected=expected,
            signed=signed,
        )


class NonceUsedError(DocumentError):
    """A signed statement is used once."""

    final = True

    def __init__(self, *, nonce: str, document: str) -> None:
        super().__init__(f"the signed statement was used for {document}", nonce=nonce)


class NothingToPayError(DocumentError):
    """No payment waits for an advice list of this bank account."""

    def __init__(self, *, bank_account: str) -> None:
        super().__init__(f"no payment from {bank_account} waits", bank_account=bank_account)


class PaymentNotHeldError(DocumentError):
    """Only a held payment of a signed SP2D, from the list's bank account, goes into a list."""

    def __init__(self, *, payment: str, state: str, reason: str) -> None:
        super().__init__(
            f"payment {payment} ({state}) can't be listed: {reason}",
            payment=payment,
            state=state,
            reason=reason,
        )


class NumberFormatError(DocumentError):
    """A number pattern must hold the serial, or two documents would get one number."""

    def __init__(self, *, pattern: str) -> None:
        super().__init__(f"number pattern {pattern} has no {{serial}}", pattern=pattern)


class PaymentNotListedError(DocumentError):
    """An answer names a payment that is not in the advice list, or names one twice."""

    def __init__(self, *, payment: str, document: str) -> None:
        super().__init__(
            f"payment {payment} is not in {document}, or stands twice in the answer",
            payment=payment,
            document=document,
        )


class AnswerContradictsError(DocumentError):
    """The bank's answer denies what is recorded of a payment; a person asks the bank."""

    def __init__(
        self, *, document: str, number: int, payments: Sequence[Mapping[str, str]]
    ) -> None:
        told = "; ".join(
            f"{each['payment']} is {each['state']}, and the answer says {each['status']}"
            for each in payments
        )
        more = "; ..." if number > len(payments) else ""
        super().__init__(
            f"the answer to {document} is not recorded: {told}{more}",
            document=document,
            number=number,
            payments=[dict(each) for each in payments],
        )


class PaymentAnsweredError(DocumentError):
    """A payment file asks for every payment in it, and one of them has had its answer."""

    def __init__(self, *, payment: str, state: str) -> None:
        super().__init__(
            f"payment {payment} is {state}: a file that asks for it again is not written",
            payment=payment,
            state=state,
        )


class TextErasedError(DocumentError):
    """A private text was erased, so what would show it can't be made any more."""

    def __init__(self, *, field: str, commitment: str) -> None:
        super().__init__(f"{field} was erased", field=field, commitment=commitment)
