"""Orders to write, in the shape of a province's."""

from __future__ import annotations

from datetime import date
from typing import Any

from hypothesis import strategies as st

from bank_adapters.payments.order import PaymentOrder, Rail
from ledger.money import Money

ACCOUNT = "0010012345678"
DAY = date(2026, 3, 5)
RAILS: tuple[Rail, ...] = ("intrabank", "bifast", "skn", "rtgs")
#: What SWIFT's character set X has, without the space.
SWIFT_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/-?:().,'+"


def order(n: int = 1, **changes: Any) -> PaymentOrder:
    """The n-th order of a list, with *changes*."""
    values: dict[str, Any] = {
        "reference": f"SP2D26-{n:06d}",
        "amount": Money(125_000_000_00 + n),
        "source_account": ACCOUNT,
        "beneficiary_bank": "014",
        "beneficiary_account": f"00{n:08d}",
        "beneficiary_name": "PT Contoh Karya",
        "remark": "SP2D 000123/LS",
        "rail": "skn",
        "transfer_on": DAY,
    }
    return PaymentOrder(**(values | changes))


def trimmed(alphabet: st.SearchStrategy[str] | str, most: int) -> st.SearchStrategy[str]:
    """Texts of 1 to *most* characters without spaces around."""
    return st.text(alphabet, min_size=1, max_size=most).filter(lambda each: each == each.strip())


PRINTABLE = st.characters(exclude_categories=("C", "Zl", "Zp", "Zs")) | st.just(" ")


@st.composite
def orders(draw: st.DrawFn, *, most: int = 5, printable: bool = True) -> list[PaymentOrder]:
    """A list of one account and day: any amounts, rails and texts."""
    text = PRINTABLE if printable else st.sampled_from(SWIFT_LETTERS + " ")
    count = draw(st.integers(1, most))
    return [
        order(
            n,
            amount=Money(draw(st.integers(1, 10**15))),
            beneficiary_bank=draw(st.sampled_from(["014", "002", "114", "451"])),
            beneficiary_name=draw(trimmed(text, 40)),
            remark=draw(st.just("") | trimmed(text, 50)),
            rail=draw(st.sampled_from(RAILS)),
        )
        for n in range(1, count + 1)
    ]
