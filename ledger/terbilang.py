"""Amounts in Indonesian words, as receipts and payment orders must carry them."""

from ledger.money import Money

__all__ = ["terbilang"]

_UNITS = (
    *("nol", "satu", "dua", "tiga", "empat", "lima", "enam"),
    *("tujuh", "delapan", "sembilan", "sepuluh", "sebelas"),
)
_SCALES = ((10**15, "kuadriliun"), (10**12, "triliun"), (10**9, "miliar"), (10**6, "juta"))


def terbilang(money: Money) -> str:
    """Say *money* in words: `Money.parse("1250000.50")` is
    `"satu juta dua ratus lima puluh ribu rupiah lima puluh sen"`.

    Sen are said only when there are any; a negative amount begins with `minus`.
    """
    rupiah, sen = divmod(abs(money.sen), 100)
    words = f"{_number(rupiah)} rupiah"
    if sen:
        words = f"{words} {_number(sen)} sen"
    return f"minus {words}" if money.sen < 0 else words


def _number(value: int) -> str:
    """Cardinal number in words, 0 to 10**18."""
    for scale, name in _SCALES:
        if value >= scale:
            return _with_rest(f"{_number(value // scale)} {name}", value % scale)
    if value >= 2000:
        return _with_rest(f"{_number(value // 1000)} ribu", value % 1000)
    if value >= 1000:
        return _with_rest("seribu", value % 1000)  # never "satu ribu"
    if value >= 200:
        return _with_rest(f"{_UNITS[value // 100]} ratus", value % 100)
    if value >= 100:
        return _with_rest("seratus", value % 100)
    if value >= 20:
        return _with_rest(f"{_UNITS[value // 10]} puluh", value % 10)
    if value >= 12:
        return f"{_UNITS[value - 10]} belas"
    return _UNITS[value]


def _with_rest(head: str, rest: int) -> str:
    return f"{head} {_number(rest)}" if rest else head
