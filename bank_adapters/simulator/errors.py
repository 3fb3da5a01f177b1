"""What the simulated bank refuses, by name.

SimulatorError
├── AdviceListRefusedError     not a list that the officer signed, or its figures do not add up
├── AdviceListRepeatedError    the list was executed before
├── AccountNotOursError        a list or a state of another RKUD account
├── DayClosedError             that day's statement was written already
├── MalformedInputError        a state, a deposit file or a fault script of another shape
└── RequestRefusedError        a call that the bank answers with a response code of SNAP's
"""

from bank_adapters.errors import BankAdapterError, shown


class SimulatorError(BankAdapterError):
    """Base of all refusals of the simulated bank."""


class AdviceListRefusedError(SimulatorError):
    """The bank pays only what the officer signed."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the advice list is refused: {reason}")
        self.reason = reason


class AdviceListRepeatedError(SimulatorError):
    """A list is executed once."""

    def __init__(self, number: str) -> None:
        super().__init__(f"advice list {number} was executed before")
        self.number = number


class AccountNotOursError(SimulatorError):
    """The account is not the one this state keeps."""

    def __init__(self, account: str, expected: str) -> None:
        super().__init__(f"account {shown(account)} is not {expected}")
        self.account = account
        self.expected = expected


class DayClosedError(SimulatorError):
    """Days are closed in order, each once."""

    def __init__(self, day: str, last: str) -> None:
        super().__init__(f"{day} is not after {last}, the last day that was closed")
        self.day = day
        self.last = last


class MalformedInputError(SimulatorError):
    """A file that is not what this bank reads."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason


class RequestRefusedError(SimulatorError):
    """A call that is not carried out. `case`: a name of `snap_codes.CASES`."""

    def __init__(self, case: str, detail: str = "") -> None:
        super().__init__(f"{case} {detail}".strip())
        self.case = case
        self.detail = detail
