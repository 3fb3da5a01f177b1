"""
Everything the ledger refuses, by name.

A refusal changes nothing. `code` is the class name without `Error` in snake_case and never changes;
`values` are the offending values, given back only to the caller who sent them. `final` says that no
later state of the books can change the answer (a stored refusal may be replayed for ever).
"""

from __future__ import annotations

import re
from typing import ClassVar, Final

__all__ = [
    "AccountNotPostableError",
    "BankAccountRequiredError",
    "CounterpartRequiredError",
    "CrossesGovernmentError",
    "DuplicateKeyError",
    "FeedKindNotAllowedError",
    "FiscalYearNotOpenError",
    "FutureEffectiveDateError",
    "IdempotencyKeyReusedError",
    "InvalidFieldError",
    "JournalAlreadyReversedError",
    "JournalBelongsToDocumentError",
    "LedgerError",
    "MalformedJsonError",
    "ManualJournalOnReservedAccountError",
    "NotGrantedError",
    "OverCashError",
    "OverCeilingError",
    "OverReleaseError",
    "OwnApprovalError",
    "PeriodMismatchError",
    "PeriodSealedError",
    "ReciprocalMismatchError",
    "ReferenceReusedError",
    "ReservedKindError",
    "TooLargeError",
    "UnbalancedJournalError",
    "UnknownAccountError",
    "UnknownBankAccountError",
    "UnknownBudgetLineError",
    "UnknownEntityError",
    "UnknownJournalError",
    "UnknownPersonError",
    "shown",
]

_WORD = re.compile(r"(?<!^)(?=[A-Z])")
#: Characters of an offending value that go back, and of a whole message.
SHOWN_MAX: Final = 200
_MESSAGE_MAX: Final = 2_000


def shown(value: object) -> object:
    """An offending value as it is given back: a long text is cut, its length said."""
    if isinstance(value, str):
        return _cut(value, SHOWN_MAX)
    if isinstance(value, int):
        return value if value.bit_length() < 64 else _cut(str(value), SHOWN_MAX)
    if isinstance(value, list | tuple):
        return [shown(each) for each in value]
    return value


def _cut_message(message: str, values: dict[str, object]) -> str:
    """A message in which long ones of its *values* are cut as `shown` cuts them."""
    if len(message) <= SHOWN_MAX:
        return message
    texts = (str(value) for value in values.values() if isinstance(value, str | int))
    for text in sorted({text for text in texts if len(text) > SHOWN_MAX}, key=len, reverse=True):
        message = message.replace(text, _cut(text, SHOWN_MAX))
    return _cut(message, _MESSAGE_MAX)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}… ({len(text)} characters)"


class LedgerError(Exception):
    """Base of the ledger's refusals."""

    code: ClassVar[str] = "ledger"
    final: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        cls.code = (
            _WORD.sub("_", cls.__name__.removesuffix("Error")).lower().replace("s_p2_d", "sp2d")
        )

    def __init__(self, message: str, **values: object) -> None:
        self.message = _cut_message(message, values)
        super().__init__(self.message)
        self.values: dict[str, object] = {name: shown(value) for name, value in values.items()}


class MalformedJsonError(LedgerError):
    """What was sent is not JSON: where it stops being so, and why."""

    def __init__(self, reason: str, *, line: int, column: int, hint: str = "") -> None:
        super().__init__(
            f"not JSON at line {line}, column {column}: {reason}" + (f"; {hint}" if hint else ""),
            reason=reason,
            line=line,
            column=column,
            hint=hint,
        )


class DuplicateKeyError(LedgerError):
    """An object names a member twice, so that two readers may see two different values."""

    final = True

    def __init__(self, *, key: str, field: str, line: int = 0) -> None:
        where = {"line": line} if line else {}
        super().__init__(
            (f"line {line}: " if line else "") + f"{field} stands twice in its object",
            key=key,
            field=field,
            **where,
        )


class InvalidFieldError(LedgerError):
    """A field does not have the form that its rule asks for."""

    final = True

    def __init__(self, field: str, rule: str, value: object) -> None:
        shown = value if isinstance(value, str | int) else repr(value)
        super().__init__(f"{field}: {rule}", field=field, rule=rule, value=shown)


class UnbalancedJournalError(LedgerError):
    """Debits and credits differ within one entity and book."""

    final = True

    def __init__(self, *, entity: str, book: str, difference: str) -> None:
        super().__init__(
            f"debits less credits of entity {entity} in book {book} leave {difference}, not 0.00",
            entity=entity,
            book=book,
            difference=difference,
        )


class UnknownAccountError(LedgerError):
    """The chart in force for the year has no such account."""

    def __init__(self, *, account: str, fiscal_year: int) -> None:
        super().__init__(
            f"account {account} is not in the chart of fiscal year {fiscal_year}",
            account=account,
            fiscal_year=fiscal_year,
        )


class AccountNotPostableError(LedgerError):
    """Only level 6 of the chart takes postings, between its dates."""

    def __init__(self, *, account: str, level: int, valid_from: str, valid_to: str) -> None:
        super().__init__(
            f"account {account} (level {level}, {valid_from or 'always'} to {valid_to or 'open'})"
            " takes no posting: level 6 and a date inside are needed",
            account=account,
            level=level,
            valid_from=valid_from,
            valid_to=valid_to,
        )


class UnknownEntityError(LedgerError):
    """No such entity (PPKD or an SKPD) in this government."""

    def __init__(self, *, entity: str) -> None:
        super().__init__(f"entity {entity} is not known to this government", entity=entity)


class UnknownBankAccountError(LedgerError):
    """No such bank account of the government."""

    def __init__(self, *, bank_account: str) -> None:
        super().__init__(
            f"bank account {bank_account} is not an account of this government",
            bank_account=bank_account,
        )


class BankAccountRequiredError(LedgerError):
    """RKUD cash needs its bank account named where there are several; no other account takes one."""

    final = True

    def __init__(self, *, account: str, bank_account: str) -> None:
        super().__init__(
            f"account {account} with bank account {bank_account or '(none)'}: RKUD cash"
            " (1.1.01.01) needs a bank account, other accounts take none",
            account=account,
            bank_account=bank_account,
        )


class CounterpartRequiredError(LedgerError):
    """A line on RK SKPD names the SKPD it stands against."""

    final = True

    def __init__(self, *, account: str, counterpart: str) -> None:
        super().__init__(
            f"account {account} with counterpart {counterpart or '(none)'}: a reciprocal account"
            " (1.1.13, 3.1.03) names the other entity, other accounts none",
            account=account,
            counterpart=counterpart,
        )


class ReciprocalMismatchError(LedgerError):
    """RK SKPD of the PPKD and RK PPKD of the SKPD must mirror within each journal."""

    final = True

    def __init__(self, *, skpd: str, difference: str) -> None:
        super().__init__(
            f"RK SKPD and RK PPKD of {skpd} do not mirror: they leave {difference}",
            skpd=skpd,
            difference=difference,
        )


class UnknownBudgetLineError(LedgerError):
    """No such budget line in the year."""

    def __init__(self, *, budget_line: str, fiscal_year: int) -> None:
        super().__init__(
            f"budget line {budget_line} is not in the budget of {fiscal_year}",
            budget_line=budget_line,
            fiscal_year=fiscal_year,
        )


class FiscalYearNotOpenError(LedgerError):
    """The book keeps no such fiscal year."""

    def __init__(self, *, fiscal_year: int) -> None:
        super().__init__(
            f"fiscal year {fiscal_year} is not open in this book", fiscal_year=fiscal_year
        )


class PeriodSealedError(LedgerError):
    """The period is sealed; a correction is a journal in an open period."""

    def __init__(self, *, fiscal_year: int, period: int) -> None:
        super().__init__(
            f"period {period} of {fiscal_year} is sealed", fiscal_year=fiscal_year, period=period
        )


class PeriodMismatchError(LedgerError):
    """The period does not fit the effective date."""

    final = True

    def __init__(self, *, period: int, effective_on: str) -> None:
        super().__init__(
            f"period {period} does not fit {effective_on}: 1-12 is the month, 13 and 14 belong to"
            " 31 December",
            period=period,
            effective_on=effective_on,
        )


class FutureEffectiveDateError(LedgerError):
    """Nothing is booked after the government's today."""

    def __init__(self, *, effective_on: str, today: str) -> None:
        super().__init__(
            f"effective_on {effective_on} is after today, {today}",
            effective_on=effective_on,
            today=today,
        )


class TooLargeError(LedgerError):
    """More lines, or a larger amount, than the ledger takes in one piece."""

    final = True

    def __init__(self, field: str, *, limit: str, value: str) -> None:
        super().__init__(f"{field} {value} is over {limit}", field=field, limit=limit, value=value)


class ReferenceReusedError(LedgerError):
    """The reference belongs to a journal with other content."""

    final = True

    def __init__(self, *, reference: str, journal_id: int, differs: list[str]) -> None:
        super().__init__(
            f"reference {reference} belongs to journal {journal_id}, which differs in"
            f" {', '.join(differs)}",
            reference=reference,
            journal_id=journal_id,
            differs=differs,
        )


class IdempotencyKeyReusedError(LedgerError):
    """The key was used for another request."""

    final = True

    def __init__(self, *, key: str, differs: list[str]) -> None:
        super().__init__(
            f"Idempotency-Key {key} was used for another request; they differ in"
            f" {', '.join(differs)}",
            key=key,
            differs=differs,
        )


class OverCeilingError(LedgerError):
    """The budget line has no room (pagu)."""

    def __init__(self, *, budget_line: str, remaining: str, asked: str) -> None:
        super().__init__(
            f"budget line {budget_line} has {remaining} left, {asked} is asked",
            budget_line=budget_line,
            remaining=remaining,
            asked=asked,
        )


class OverReleaseError(LedgerError):
    """The funds released (SPD) leave no room."""

    def __init__(self, *, budget_line: str, bucket: str, remaining: str, asked: str) -> None:
        super().__init__(
            f"release {bucket} of budget line {budget_line} has {remaining} left, {asked} is asked",
            budget_line=budget_line,
            bucket=bucket,
            remaining=remaining,
            asked=asked,
        )


class OverCashError(LedgerError):
    """The RKUD does not hold that much uncommitted cash."""

    def __init__(self, *, bank_account: str, available: str, asked: str) -> None:
        super().__init__(
            f"bank account {bank_account} has {available} available, {asked} is asked",
            bank_account=bank_account,
            available=available,
            asked=asked,
        )


class UnknownPersonError(LedgerError):
    """No such person in this government."""

    def __init__(self, *, person: str) -> None:
        super().__init__(f"person {person} is not known to this government", person=person)


class NotGrantedError(LedgerError):
    """The person holds no grant of the role on that day, for that SKPD."""

    def __init__(self, *, person: str, role: str, on: str, skpd: str = "") -> None:
        where = f" for {skpd}" if skpd else ""
        super().__init__(
            f"{person} holds no grant as {role}{where} on {on}",
            person=person,
            role=role,
            on=on,
            skpd=skpd,
        )


class OwnApprovalError(LedgerError):
    """The same person may not do both (SOD-1, SOD-2)."""

    final = True

    def __init__(self, *, person: str, first: str, second: str) -> None:
        super().__init__(
            f"{person} acted as {first} and may not act as {second} too",
            person=person,
            first=first,
            second=second,
        )


class FeedKindNotAllowedError(LedgerError):
    """Journals of this kind may not be fed by another system here."""

    def __init__(self, *, kind: str, allowed: list[str]) -> None:
        super().__init__(
            f"journals of kind {kind} may not be fed; allowed: {', '.join(allowed) or 'none'}",
            kind=kind,
            allowed=allowed,
        )


class ReservedKindError(LedgerError):
    """The kind belongs to another act: opening a book, a reversal, a journal by hand."""

    final = True

    def __init__(self, *, kind: str, allowed: list[str]) -> None:
        super().__init__(
            f"kind {kind} belongs to another act and is not fed;"
            f" allowed: {', '.join(allowed) or 'none'}",
            kind=kind,
            allowed=allowed,
        )


class ManualJournalOnReservedAccountError(LedgerError):
    """A manual journal may not touch RKUD cash, reciprocal accounts or a budget line."""

    final = True

    def __init__(self, *, account: str, budget_line: str) -> None:
        super().__init__(
            f"a manual journal may not touch account {account}"
            + (f" with budget line {budget_line}" if budget_line else ""),
            account=account,
            budget_line=budget_line,
        )


class UnknownJournalError(LedgerError):
    """No such journal."""

    def __init__(self, *, journal_id: int) -> None:
        super().__init__(f"journal {journal_id} does not exist", journal_id=journal_id)


class JournalAlreadyReversedError(LedgerError):
    """A journal is reversed at most once."""

    def __init__(self, *, journal_id: int, reversed_by: int) -> None:
        super().__init__(
            f"journal {journal_id} is reversed by journal {reversed_by} already",
            journal_id=journal_id,
            reversed_by=reversed_by,
        )


class JournalBelongsToDocumentError(LedgerError):
    """A journal that belongs to a document is reversed only by the document's own move."""

    def __init__(self, *, journal_id: int, document: str) -> None:
        super().__init__(
            f"journal {journal_id} belongs to document {document}; cancel or return that instead",
            journal_id=journal_id,
            document=document,
        )


class CrossesGovernmentError(LedgerError):
    """An id of another government."""

    def __init__(self, *, government: str, expected: str) -> None:
        super().__init__(
            f"government {government} was asked for in the name of {expected}",
            government=government,
            expected=expected,
        )
