"""What talking to a bank over SNAP refuses, by name.

SnapError
├── InvalidConnectionError        the operator's file of banks says what can't be
├── AccountNotServedError         no connection, or not this one, serves the account
├── SimulatorForLiveAccountError  a simulated bank where money is real
├── UnsendableOrderError          a field that the bank's message can't carry unchanged
├── AddressRefusedError           the bank's name leads to an address that isn't a bank's
├── BankUnreachableError          no answer came, or none that may be read
├── ClockSkewError                our clock and the bank's are too far apart to sign anything
├── TokenRefusedError             the bank gave no access token
├── BankRefusedError              the bank refused a question (a name, a balance, a statement)
├── StatementPeriodError          days that a bank can't be asked for
├── UnreadableAnswerError         an answer to a question can't be read without guessing
├── UnreadablePullError           a file of a pulled statement is not as it was written
└── CallbackRefusedError          a call that is not surely the bank's

None of them holds a key, a secret, a token or a signature.
"""

from datetime import date

from bank_adapters.errors import BankAdapterError, StatementFileError, shown

__all__ = [
    "AccountNotServedError",
    "AddressRefusedError",
    "BankRefusedError",
    "BankUnreachableError",
    "CallbackRefusedError",
    "ClockSkewError",
    "InvalidConnectionError",
    "SimulatorForLiveAccountError",
    "SnapError",
    "StatementPeriodError",
    "TokenRefusedError",
    "UnreadableAnswerError",
    "UnreadablePullError",
    "UnsendableOrderError",
]


class SnapError(BankAdapterError):
    """Base of all refusals of the SNAP client."""


class InvalidConnectionError(SnapError):
    """The file of banks, or a key that it names, is not as it must be. `bank` "": the whole file."""

    def __init__(self, file: str, bank: str, field: str, rule: str) -> None:
        where = ": ".join(part for part in (file, bank and f"bank {shown(bank)}", field) if part)
        super().__init__(f"{where}: {rule}")
        self.file = file
        self.bank = bank
        self.field = field
        self.rule = rule


class AccountNotServedError(SnapError):
    """A connection speaks for the accounts that its bank's entry lists, and for no other."""

    def __init__(self, bank: str, account: str, served: tuple[str, ...]) -> None:
        super().__init__(
            f"{bank} does not serve account {shown(account)}; it serves {', '.join(served)}"
        )
        self.bank = bank
        self.account = account
        self.served = served


class SimulatorForLiveAccountError(SnapError):
    """An account that is marked live is never served by a simulated bank."""

    def __init__(self, bank: str, account: str) -> None:
        super().__init__(f"{bank} is a simulator; account {shown(account)} is live")
        self.bank = bank
        self.account = account


class UnsendableOrderError(SnapError):
    """A value that the bank's message can't carry unchanged; nothing was sent."""

    def __init__(self, reference: str, field: str, value: str, rule: str) -> None:
        super().__init__(f"order {shown(reference)}: {field} {shown(value)} {rule}")
        self.reference = reference
        self.field = field
        self.value = value
        self.rule = rule


class AddressRefusedError(SnapError):
    """The bank's host leads to an address that its entry does not allow; nothing was sent."""

    def __init__(self, host: str, address: str, rule: str) -> None:
        super().__init__(f"{host} leads to {address}: {rule}")
        self.host = host
        self.address = address
        self.rule = rule


class BankUnreachableError(SnapError):
    """No answer came, or one that was cut or too long. `sent`: whether any byte of the call went out."""

    def __init__(self, host: str, reason: str, *, sent: bool) -> None:
        said = "the call went out" if sent else "nothing was sent"
        super().__init__(f"no answer from {host}: {reason}; {said}")
        self.host = host
        self.reason = reason
        self.sent = sent


class ClockSkewError(SnapError):
    """Our clock and the bank's differ by more than the bank's entry allows; nothing was sent."""

    def __init__(self, bank: str, seconds: int, seconds_max: int) -> None:
        super().__init__(
            f"the clock of {bank} is {seconds:+d} s from ours; at most {seconds_max} s are allowed"
        )
        self.bank = bank
        self.seconds = seconds
        self.seconds_max = seconds_max


class TokenRefusedError(SnapError):
    """The bank gave no access token; nothing else was sent."""

    def __init__(self, bank: str, http_status: int, answer_code: str, reason: str) -> None:
        super().__init__(
            f"{bank} gave no token: HTTP {http_status} {answer_code} {reason}".rstrip()
        )
        self.bank = bank
        self.http_status = http_status
        self.answer_code = answer_code
        self.reason = reason


class BankRefusedError(SnapError):
    """The bank refused a question that moves no money."""

    def __init__(self, service: str, http_status: int, answer_code: str, reason: str) -> None:
        super().__init__(f"service {service}: HTTP {http_status} {answer_code} {reason}".rstrip())
        self.service = service
        self.http_status = http_status
        self.answer_code = answer_code
        self.reason = reason


class StatementPeriodError(SnapError):
    """Days that no statement can be pulled for; nothing was sent."""

    def __init__(self, first: date, last: date, reason: str) -> None:
        super().__init__(f"from {first} to {last}: {reason}")
        self.first = first.isoformat()
        self.last = last.isoformat()
        self.reason = reason


class UnreadableAnswerError(StatementFileError, SnapError):
    """A bank's answer that can't be read without guessing: which field, and why."""

    def __init__(self, service: str, field: str, reason: str, *, page: int = 0) -> None:
        where = f"service {service}" + (f", page {page}" if page else "")
        super().__init__(f"{where}: {field}: {reason}" if field else f"{where}: {reason}")
        self.service = service
        self.field = field
        self.reason = reason
        self.page = page


class UnreadablePullError(StatementFileError, SnapError):
    """A file of a pulled statement that is cut, or not as it was written."""

    def __init__(self, reason: str, *, position: int) -> None:
        super().__init__(reason, position=position)
        self.reason = reason


class CallbackRefusedError(SnapError):
    """A call that is not surely the bank's, or that can't be read; nothing was changed."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the callback is refused: {reason}")
        self.reason = reason
