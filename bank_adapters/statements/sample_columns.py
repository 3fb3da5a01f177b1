"""What a column is called, in Indonesian and English: header names to a layout's fields."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Final

from bank_adapters.statements.profile import FIELDS, all_profiles, header_name

__all__ = ["CREDIT_WORDS", "DEBIT_WORDS", "LABEL_WORDS", "MEANINGS", "field_of", "fields_in"]

DEBIT_WORDS: Final = ("D", "DB", "DR", "DEBIT", "DEBET")
CREDIT_WORDS: Final = ("C", "K", "CR", "KR", "CREDIT", "KREDIT")

MEANINGS: Final = {
    "booked_on": "booking day",
    "value_on": "value day",
    "booked_time": "time of day",
    "narrative": "text of the entry",
    "amount": "amount",
    "debit": "money out",
    "credit": "money in",
    "flag": "debit or credit",
    "balance": "balance after the entry",
    "balance_before": "balance before the entry",
    "account": "account number",
    "currency": "currency",
    "reference": "reference",
    "bank_reference": "the bank's own reference",
    "counterparty": "other party",
    "transaction_code": "transaction code",
}

_NAMES: Final = {
    "booked_on": """tanggal | tgl | tanggal transaksi | tgl transaksi | tanggal trx | tgl trx
        | tanggal posting | tgl posting | tanggal buku | tgl buku | tanggal pembukuan
        | tanggal mutasi | date | transaction date | trans date | trx date | txn date
        | posting date | post date | booking date | entry date""",
    "value_on": """tanggal valuta | tgl valuta | valuta | tanggal efektif | tgl efektif
        | value date | val date | effective date | eff date""",
    "booked_time": "jam | waktu | jam transaksi | waktu transaksi | time | trx time",
    "narrative": """uraian | uraian transaksi | keterangan | keterangan transaksi | deskripsi
        | deskripsi transaksi | rincian | rincian transaksi | berita | narasi | description
        | transaction description | remark | remarks | details | transaction details
        | particulars | narrative | narration""",
    "amount": """jumlah | nominal | nilai | mutasi | amount | transaction amount
        | jumlah transaksi | nominal transaksi | nilai transaksi""",
    "debit": """debet | debit | mutasi debet | mutasi debit | nominal debet | nominal debit
        | debit amount | withdrawal | withdrawals | pengeluaran""",
    "credit": """kredit | credit | mutasi kredit | nominal kredit | credit amount | deposit
        | deposits | penerimaan""",
    "flag": """d/k | d/c | db/cr | db/kr | dr/cr | dk | dc | debet/kredit | debit/kredit
        | debit/credit | jenis | jenis mutasi | jenis transaksi | tipe | type | sign""",
    "balance": "saldo | saldo akhir | saldo berjalan | balance | running balance | ending balance",
    "balance_before": "saldo awal | balance before | opening balance",
    "account": """no rekening | nomor rekening | no rek | norek | rekening | account no
        | account number | account""",
    "currency": "mata uang | currency | ccy | curr",
    "reference": """no referensi | nomor referensi | referensi | no ref | ref no | no reff
        | reference | reference no | reference number""",
    "bank_reference": """no bukti | nomor bukti | no jurnal | journal no | trxid | trx id
        | transaction id | no transaksi | nomor transaksi""",
    "counterparty": """lawan transaksi | nama pengirim | nama penerima | counterparty
        | beneficiary name""",
    "transaction_code": "kode transaksi | kode | transaction code | trx code | kode tran",
}

#: Words of rows around the entries, longest first where one begins with another.
LABEL_WORDS: Final = {
    "opening": (
        *("saldo awal", "saldo bulan lalu", "opening balance", "beginning balance"),
        "starting balance",
    ),
    "closing": ("saldo akhir", "closing balance", "ending balance"),
    "totals": ("grand total", "total mutasi", "jumlah mutasi", "total", "jumlah"),
    "account": (
        *("no. rekening", "no rekening", "nomor rekening", "no. rek", "norek"),
        *("account no.", "account no", "account number", "rekening", "account"),
    ),
    "period": (
        *("periode transaksi", "periode", "statement period", "transaction period", "period"),
    ),
}

_CURRENCY: Final = re.compile(r"\(?\b(?:rp|idr)\b\.?\)?")


def field_of(header: str) -> str | None:
    """The field that a header cell names, or None."""
    return _known().get(_key(header))


def fields_in(cells: Sequence[str]) -> dict[str, list[int]]:
    """Fields that the cells of a row name, with the columns of each."""
    found: dict[str, list[int]] = {}
    for column, cell in enumerate(cells):
        if name := field_of(cell):
            found.setdefault(name, []).append(column)
    return found


@cache
def _known() -> dict[str, str]:
    known: dict[str, str] = {}
    for profile in all_profiles():
        for name, aliases in profile.columns.items():
            for alias in aliases:
                known.setdefault(_key(alias), name)
    # Ours last: a shipped layout may use a word in a sense of its own.
    for name in FIELDS:
        for alias in _NAMES[name].split("|"):
            known[_key(alias)] = name
    known.pop("", None)
    return known


def _key(header: str) -> str:
    """A header without what differs for nothing: case, points, underscores, the currency."""
    text = _CURRENCY.sub(" ", header_name(header)).replace("_", " ").replace(".", " ")
    return " ".join(text.replace(" /", "/").replace("/ ", "/").split()).strip(" :*")
