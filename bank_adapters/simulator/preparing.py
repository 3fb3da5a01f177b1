"""
A directory that holds a bank to serve: its settings, both parties' keys, its books.

`bank.json` is the bank's own; `credentials.json` is what the customer is handed, names as neutral as
a bank's letter. Directory 0700, files 0600. Shell: files and the clock's day come from the caller.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import Final, Literal

import msgspec

from bank_adapters.simulator import books
from bank_adapters.simulator.accounts import VAULT
from bank_adapters.simulator.errors import MalformedInputError
from bank_adapters.simulator.keyfiles import (
    CERTIFICATE,
    write_certificate,
    write_file,
    write_key_pair,
)
from bank_adapters.simulator.store import connect
from bank_adapters.simulator.transfer_rules import LIMITS, Limits
from ledger.money import InvalidAmountError, Money, parse_sen

__all__ = [
    "DATABASE",
    "BankSettings",
    "Payee",
    "limits_of",
    "load_settings",
    "prepare",
    "write_credentials",
]

DATABASE: Final = "bank.db"
_SETTINGS: Final = "bank.json"


class BankSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """
    `bank.json`. limits: amounts as text by `bifast_max`, `online_max`, `skn_max`, `rtgs_above`.

    hours: by service, `["06:30", "15:00"]` in WIB; a service that isn't named is always open.
    """

    bank_code: str
    account: str
    client_id: str
    client_secret: str
    partner_id: str
    channel_id: str
    port: int = 8780
    base_path: str = "/snap/v1.0"
    signature_encoding: Literal["base64", "hex"] = "base64"
    transaction_signature: Literal["symmetric", "asymmetric"] = "symmetric"
    timestamp_window_seconds: int = 300
    token_seconds: int = 900
    page_rows: int = 500
    transaction_ids: bool = True
    limits: dict[str, str] = {}
    hours: dict[str, tuple[str, str]] = {}
    tls: bool = False

    @property
    def scheme(self) -> str:
        """Of the bank's address."""
        return "https" if self.tls else "http"


@dataclass(frozen=True, slots=True)
class Payee:
    """An account that is known, here or at another bank. status: active, closed, dormant, frozen."""

    bank: str
    number: str
    name: str
    status: str = "active"


def prepare(
    directory: Path,
    account: str,
    balance: Money,
    on: date,
    payees: Sequence[Payee] = (),
    *,
    name: str = "RKUD",
    options: Mapping[str, object] | None = None,
) -> BankSettings:
    """
    Make a bank whose customer's *account* (`BANKCODE:NO`) holds *balance* at the end of day *on*.

    options: further members of `bank.json`. Raises MalformedInputError where something is there.
    """
    bank_code, _, number = account.partition(":")
    if not bank_code or not number or len(number) > 16:
        raise MalformedInputError("--account", f"{account!r} is not BANKCODE:NO")
    if len({(bank_code, number)} | {(each.bank, each.number) for each in payees}) <= len(payees):
        raise MalformedInputError("payees", "an account stands twice")
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(directory.iterdir()):
        raise MalformedInputError(str(directory), "the directory is not empty")
    settings = msgspec.convert(
        {
            "bank_code": bank_code,
            "account": number,
            "client_id": f"rkud-{secrets.token_hex(8)}",
            "client_secret": secrets.token_urlsafe(32),
            "partner_id": f"RKUD{secrets.randbelow(10**12):012d}",
            "channel_id": f"{secrets.randbelow(10**5):05d}",
            **(options or {}),
        },
        BankSettings,
    )
    write_key_pair(directory, "bank")
    write_key_pair(directory, "customer")
    if settings.tls:
        write_certificate(directory)
    _open_books(directory, settings, name, balance, on, payees)
    write_credentials(directory, settings)
    # Last: a directory without it was never finished and is refused.
    text = json.dumps(msgspec.to_builtins(settings), indent=1)
    write_file(directory / _SETTINGS, text.encode())
    return settings


def load_settings(directory: Path) -> BankSettings:
    """Read `bank.json`. Raises MalformedInputError where there is none or it isn't one."""
    path = directory / _SETTINGS
    try:
        settings = msgspec.json.decode(path.read_bytes(), type=BankSettings)
        limits_of(settings)
    except FileNotFoundError:
        raise MalformedInputError(str(path), "no bank was prepared here") from None
    except (ValueError, InvalidAmountError) as error:  # msgspec's errors are ValueErrors
        raise MalformedInputError(str(path), str(error)) from None
    return settings


def limits_of(settings: BankSettings) -> Limits:
    """The rails' limits and hours: the usual ones, and what the settings say otherwise."""
    known = {name: getattr(LIMITS, name) for name in LIMITS.__slots__ if name != "hours"}
    unknown = sorted(set(settings.limits) - set(known))
    if unknown:
        raise ValueError(f"unknown limits: {', '.join(unknown)}")
    known |= {name: parse_sen(text) for name, text in settings.limits.items()}
    hours = {
        service: (time.fromisoformat(opens), time.fromisoformat(closes))
        for service, (opens, closes) in settings.hours.items()
    }
    return Limits(**known, hours=hours)


def write_credentials(directory: Path, settings: BankSettings, port: int | None = None) -> Path:
    """`credentials.json` and `banks.toml`, to connect with; *port* where another one is served."""
    path = directory / "credentials.json"
    given = {
        "bank_code": settings.bank_code,
        "source_account": settings.account,
        "base_url": f"{settings.scheme}://127.0.0.1:{port or settings.port}",
        "base_path": settings.base_path,
        "client_id": settings.client_id,
        "client_secret": settings.client_secret,
        "partner_id": settings.partner_id,
        "channel_id": settings.channel_id,
        "signature_encoding": settings.signature_encoding,
        "transaction_signature": settings.transaction_signature,
        "customer_private_key_file": str((directory / "customer_private_key.pem").resolve()),
        "bank_public_key_file": str((directory / "bank_public_key.pem").resolve()),
    }
    if settings.tls:
        given["tls_certificate_file"] = str((directory / CERTIFICATE).resolve())
    write_file(path, (json.dumps(given, indent=1) + "\n").encode())
    write_file(directory / "client_secret", settings.client_secret.encode())
    write_file(directory / "banks.toml", _banks_entry(settings, given["base_url"]).encode())
    return path


def _banks_entry(settings: BankSettings, base_url: str) -> str:
    """The same as an entry of the ledger's file of banks; keys lie beside it."""
    entry: dict[str, object] = {
        "name": f"simulator {settings.bank_code}",
        "bank_code": settings.bank_code,
        "accounts": [settings.account],
        "live": False,
        "simulator": True,
        "base_url": base_url,
        # Ours has the version in it.
        "base_path": settings.base_path,
        "version": "",
        "client_id": settings.client_id,
        "partner_id": settings.partner_id,
        "channel_id": settings.channel_id,
        "private_key_file": "customer_private_key.pem",
        "client_secret_file": "client_secret",
        "bank_public_key_file": "bank_public_key.pem",
        "signature_encoding": settings.signature_encoding,
        "transaction_signature": settings.transaction_signature,
        "purpose_code": "99",
        **({"ca_file": CERTIFICATE} if settings.tls else {}),
    }
    # Words, numbers and lists of words are written the same in JSON and in TOML.
    lines = [f"{name} = {json.dumps(value)}" for name, value in entry.items()]
    return "\n".join(["[[bank]]", *lines]) + "\n"


def _open_books(
    directory: Path,
    settings: BankSettings,
    name: str,
    balance: Money,
    on: date,
    payees: Sequence[Payee],
) -> None:
    conn = connect(directory / DATABASE)
    (directory / DATABASE).chmod(0o600)
    conn.execute("BEGIN IMMEDIATE")
    books.put(conn, "bank_code", settings.bank_code)
    books.put(conn, "closed_day", on.isoformat())
    for inner in books.INNER:
        books.add_account(conn, settings.bank_code, inner, inner, "inner")
    books.add_account(conn, settings.bank_code, settings.account, name, "customer")
    for payee in payees:
        kind = "payee" if payee.bank == settings.bank_code else "outside"
        books.add_account(conn, payee.bank, payee.number, payee.name, kind, payee.status)
    when = books.Moment(on, datetime.combine(on, time(23, 59, 59), books.WIB))
    if balance.sen > 0:
        books.book(
            conn, when, VAULT, settings.account, balance.sen, reason="opening", remark="SALDO AWAL"
        )
    conn.execute(
        "INSERT INTO statement VALUES (?, 0, ?, ?, 0, ?)",
        (settings.account, on.isoformat(), on.isoformat(), balance.sen),
    )
    conn.execute("COMMIT")
    conn.close()
