"""What a statement writer is given, whatever the format, and what no format can carry."""

from dataclasses import dataclass
from datetime import date

from bank_adapters.errors import UnwritableStatementError
from ledger.money import Money

__all__ = ["OutgoingEntry", "check_currency", "check_trimmed"]


@dataclass(frozen=True, slots=True)
class OutgoingEntry:
    """One entry to write. `amount` is signed, positive for money into the account.

    A reversal (`RC`, `RD`) keeps the sign of its amount: taking back a credit is money out.
    """

    value_on: date
    amount: Money
    narrative: str = ""
    reference: str | None = None
    bank_reference: str | None = None
    transaction_code: str = "NTRF"
    entry_on: date | None = None
    reversal: bool = False


def check_currency(currency: str) -> None:
    """Raises UnwritableStatementError for anything but a code of ISO 4217's form."""
    if len(currency) != 3 or not (currency.isascii() and currency.isalpha() and currency.isupper()):
        raise UnwritableStatementError("currency", currency, "is not three capital letters")


def check_trimmed(name: str, text: str, characters_max: int) -> None:
    """Raises UnwritableStatementError for a text that is empty, too long, or has spaces around it."""
    if not text or text != text.strip() or len(text) > characters_max:
        raise UnwritableStatementError(
            name, text, f"is not 1 to {characters_max} characters without spaces around"
        )
