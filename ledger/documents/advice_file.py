"""
The advice list as the bank gets it: exact bytes, and the evidence beside them.

Pure. The file shows names and accounts in the clear, so it is never stored: it is made again from
the content and the private texts, and its SHA-256 must be the one that two officers signed. A
random salt inside makes that digest a commitment: it can't be guessed back once texts are erased.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from audit.canonical import canonical, parse_canonical
from ledger.documents.content import AdviceContent, AdviceRow
from ledger.money import parse_sen, sen_text

__all__ = ["AdviceFile", "advice_package", "file_bytes", "file_sha256"]


@dataclass(frozen=True, slots=True)
class AdviceFile:
    """
    What is handed to the bank: `file` is the signed order, `package` the same with its proof.

    The package is canonical JSON `{"file", "content", "envelopes", "keys"}`. The bank checks that
    SHA-256(file) is content.file_sha256, that SHA-256(content) is the revision in both statements,
    and that two different enrolled keys signed them.
    """

    document: str
    number: str
    file: bytes
    package: bytes

    @property
    def sha256(self) -> str:
        """Of the file."""
        return hashlib.sha256(self.file).hexdigest()


def file_bytes(
    *,
    government: str,
    number: str,
    bank_account: str,
    dated_on: str,
    transfer_on: str,
    salt: str,
    rows: Sequence[AdviceRow],
    texts: Mapping[str, str],
) -> bytes:
    """The bytes for the bank: header, totals, and one row per payment (domain reference 3.1)."""
    net = sum(row.net_sen for row in rows)
    return canonical(
        {
            "version": 1,
            "advice_list": number,
            "government": government,
            "bank_account": bank_account,
            "dated_on": dated_on,
            "transfer_on": transfer_on,
            "currency": "IDR",
            "salt": salt,
            "count": len(rows),
            "total_gross": sen_text(sum(parse_sen(row.gross) for row in rows)),
            "total_deduction": sen_text(sum(parse_sen(row.deduction) for row in rows)),
            "total_net": sen_text(net),
            "rows": [
                {
                    "no": n,
                    "sp2d_number": row.sp2d_number,
                    "sp2d_date": row.sp2d_date,
                    "skpd": row.skpd,
                    "payee_bank_code": row.bank_code,
                    "payee_account": texts[row.account],
                    "payee_name": texts[row.name],
                    "gross": row.gross,
                    "deduction": row.deduction,
                    "net": row.net,
                    "transfer_on": transfer_on,
                    "payment_reference": row.payment,
                }
                for n, row in enumerate(rows, start=1)
            ],
        }
    )


def file_sha256(data: bytes) -> str:
    """SHA-256 of the file, 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def of_content(content: AdviceContent, *, government: str, texts: Mapping[str, str]) -> bytes:
    """The same bytes from the list's content; *texts* hold every commitment it names."""
    return file_bytes(
        government=government,
        number=content.number,
        bank_account=content.bank_account,
        dated_on=content.dated_on,
        transfer_on=content.transfer_on,
        salt=texts[content.file_salt],
        rows=content.rows,
        texts=texts,
    )


def advice_package(
    file: bytes, content: bytes, envelopes: Sequence[bytes], keys: Mapping[str, str]
) -> bytes:
    """File, content, the officers' envelopes, and their enrolled keys (hex) by key id."""
    return canonical(
        {
            "file": parse_canonical(file),
            "content": parse_canonical(content),
            "envelopes": [parse_canonical(envelope) for envelope in envelopes],
            "keys": dict(keys),
        }
    )
