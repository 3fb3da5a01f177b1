"""
One bank as its operator describes it: a `[[bank]]` of `banks.toml`, with the keys that it names.

Pure: texts and bytes in, connections or a named refusal out; `banks_file` reads the files. Addresses
of banks come from nowhere else.

    name*, bank_code*, accounts*    a name of its own; three digits; the RKUD numbers it serves
    live*                           whether money is real; `simulator = true` goes with `live = false`
    base_url*                       https://host[:port], without a path
    base_path, version, [bank.paths]  a service's path is base_path/version/its own name, or what
                                    [bank.paths] says for its two digits; paths are signed
    client_id*, partner_id*, channel_id*, origin    headers X-CLIENT-KEY, X-PARTNER-ID, CHANNEL-ID, ORIGIN
    private_key_file*               ours, RSA, PEM without a password; signs the token's text
    client_secret_file              the bank's secret; for `transaction_signature = "symmetric"`
    bank_public_key_file            the bank's, for its callbacks; without it none is accepted
    ca_file                         trust these authorities only; absent: the machine's
    signature_encoding, transaction_signature    base64 | hex; symmetric | asymmetric
    rails, purpose_code, [bank.transfer_types], beneficiary_code, [bank.bics]
                                    what is offered, and how service 18 tells its rails and banks
    beneficiary_type, beneficiary_residence, sender_type, sender_residence    RTGS and SKN
    amount_digits_max, remark_characters, inquiry_external_id
    connect_seconds, answer_seconds, total_seconds, clock_skew_seconds, callback_window_seconds
    name_check                      whether holders are asked for (15, 16) before a payee is first paid
    first_inquiry_seconds, answer_bytes_max (of a statement's page), calls_at_once, private_addresses
    statement_days_back             how many days back the bank tells of entries (14); 0: not known
    pull_minutes                    a worker pulls the statement so often; 0: never
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from msgspec import Meta

from bank_adapters.payments.order import RAILS, Rail
from bank_adapters.snap import keys
from bank_adapters.snap.errors import (
    AccountNotServedError,
    InvalidConnectionError,
    SimulatorForLiveAccountError,
)
from bank_adapters.snap.services import PATHS, Service
from bank_adapters.snap.signatures import Encoding

__all__ = ["BankSettings", "Connection", "connection_for", "read_connections"]

_HOST: Final = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
_PATH: Final = r"^(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+$"
_FIELD: Final = re.compile(r"^(.*) - at `(?:key` in `)?\$\.?(.*)`$")

Token = Annotated[str, Meta(pattern=r"^[!-~]{1,64}$")]
Digit = Annotated[str, Meta(pattern=r"^[0-9]$")]
Seconds = Annotated[float, Meta(gt=0, le=600)]
FileName = Annotated[str, Meta(min_length=1)]


class BankSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A `[[bank]]` as it stands; the module says what each field means."""

    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,39}$")]
    bank_code: Annotated[str, Meta(pattern=r"^[0-9]{3}$")]
    accounts: Annotated[
        tuple[Annotated[str, Meta(pattern=r"^[0-9]{4,16}$")], ...], Meta(min_length=1)
    ]
    live: bool
    simulator: bool = False
    base_url: str
    base_path: Annotated[str, Meta(pattern=rf"^$|{_PATH}")] = ""
    version: Annotated[str, Meta(pattern=r"^(?:v[0-9]+(?:\.[0-9]+)?)?$")] = "v1.0"
    paths: dict[Service, Annotated[str, Meta(pattern=_PATH)]] = {}
    client_id: Token
    partner_id: Annotated[str, Meta(pattern=r"^[!-~]{1,36}$")]
    channel_id: Annotated[str, Meta(pattern=r"^[!-~]{1,5}$")]
    origin: Annotated[str, Meta(pattern=r"^[!-~]{0,200}$")] = ""
    private_key_file: FileName
    client_secret_file: FileName | None = None
    bank_public_key_file: FileName | None = None
    ca_file: FileName | None = None
    signature_encoding: Encoding = "base64"
    transaction_signature: Literal["symmetric", "asymmetric"] = "symmetric"
    rails: Annotated[tuple[Rail, ...], Meta(min_length=1)] = RAILS
    purpose_code: Annotated[str, Meta(pattern=r"^(?:[0-9]{2,3})?$")] = ""
    transfer_types: dict[
        Literal["bifast", "online"], Annotated[str, Meta(pattern=r"^[!-~]{1,10}$")]
    ] = msgspec.field(default_factory=lambda: {"bifast": "2", "online": "1"})
    beneficiary_code: Literal["code", "bic"] = "code"
    bics: dict[
        Annotated[str, Meta(pattern=r"^[0-9]{3}$")],
        Annotated[str, Meta(pattern=r"^[A-Z0-9]{7,11}$")],
    ] = {}
    beneficiary_type: Digit = "2"
    beneficiary_residence: Digit = "1"
    sender_type: Digit = "3"
    sender_residence: Digit = "1"
    #: Before the point. The standard's "16,2" is read as 16 digits with both decimals.
    amount_digits_max: Annotated[int, Meta(ge=1, le=17)] = 14
    remark_characters: Annotated[int, Meta(ge=12, le=50)] = 50
    inquiry_external_id: bool = False
    connect_seconds: Seconds = 5.0
    answer_seconds: Seconds = 30.0
    total_seconds: Seconds = 45.0
    clock_skew_seconds: Annotated[int, Meta(ge=1, le=900)] = 60
    callback_window_seconds: Annotated[int, Meta(ge=1, le=86400)] = 300
    first_inquiry_seconds: Annotated[int, Meta(ge=0, le=86400)] = 60
    answer_bytes_max: Annotated[int, Meta(ge=1024, le=1 << 28)] = 1 << 24
    calls_at_once: Annotated[int, Meta(ge=1, le=64)] = 8
    private_addresses: bool = False
    name_check: bool = True
    statement_days_back: Annotated[int, Meta(ge=0, le=3660)] = 0
    pull_minutes: Annotated[int, Meta(ge=0, le=1440)] = 0


@dataclass(frozen=True, slots=True)
class Connection:
    """A bank, with the keys of this one connection. Prints without them."""

    settings: BankSettings
    private_key: RSAPrivateKey = field(repr=False)
    client_secret: str = field(repr=False)
    bank_public_key: RSAPublicKey | None = field(repr=False)
    ca_pem: str | None = field(repr=False)

    def path(self, service: Service) -> str:
        """The path of *service*, as it is called and as it is signed."""
        said = self.settings
        known = said.paths.get(service)
        if known is not None:
            return known
        version = f"/{said.version}" if said.version else ""
        return f"{said.base_path}{version}{PATHS[service]}"


def read_connections(
    text: str, *, file: str, read_file: Callable[[str, bool], bytes]
) -> tuple[Connection, ...]:
    """
    The connections of a file's *text*. *read_file* gives the bytes of a file that an entry names
    (true: it is secret), and raises ValueError with the reason where it can't.

    Raises InvalidConnectionError with file, bank, field and rule.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidConnectionError(file, "", "", f"not TOML: {error}") from None
    entries = data.pop("bank", None)
    if data or not isinstance(entries, list) or not entries:
        extra = f"; unknown: {', '.join(sorted(data))}" if data else ""
        raise InvalidConnectionError(
            file, "", "", f"holds [[bank]] entries and nothing else{extra}"
        )
    made = tuple(_connection(entry, n, file, read_file) for n, entry in enumerate(entries, 1))
    _check_together(made, file)
    return made


def connection_for(
    connections: Sequence[Connection], bank_code: str, account: str, *, live: bool
) -> Connection:
    """
    The connection that serves an account. *live* is the book's own word on the account.

    Raises AccountNotServedError, and SimulatorForLiveAccountError.
    """
    for each in connections:
        if each.settings.bank_code == bank_code and account in each.settings.accounts:
            if live and each.settings.simulator:
                raise SimulatorForLiveAccountError(each.settings.name, account)
            return each
    served = tuple(number for each in connections for number in each.settings.accounts)
    raise AccountNotServedError(f"no bank {bank_code} of the file", account, served)


def _connection(
    entry: object, n: int, file: str, read_file: Callable[[str, bool], bytes]
) -> Connection:
    name = entry.get("name") if isinstance(entry, dict) else None
    bank = name if isinstance(name, str) else f"number {n}"

    def refuse(field_name: str, rule: str) -> InvalidConnectionError:
        return InvalidConnectionError(file, bank, field_name, rule)

    try:
        said = msgspec.convert(entry, BankSettings)
    except msgspec.ValidationError as error:
        found = _FIELD.match(str(error))
        raise refuse(found[2] if found else "", found[1] if found else str(error)) from None
    _check_settings(said, refuse)

    def read(field_name: str, named: str, *, secret: bool) -> bytes:
        try:
            return read_file(named, secret)
        except ValueError as error:
            raise refuse(field_name, str(error)) from None

    try:
        field_name = "private_key_file"
        private_key = keys.private_key(read(field_name, said.private_key_file, secret=True))
        secret, public_key, ca_pem = "", None, None
        field_name = "client_secret_file"
        if said.client_secret_file is not None:
            secret = keys.secret_text(read(field_name, said.client_secret_file, secret=True))
        field_name = "bank_public_key_file"
        if said.bank_public_key_file is not None:
            public_key = keys.public_key(read(field_name, said.bank_public_key_file, secret=False))
        field_name = "ca_file"
        if said.ca_file is not None:
            ca_pem = keys.certificates(read(field_name, said.ca_file, secret=False))
    except keys.UnfitKeyError as error:
        raise refuse(field_name, str(error)) from None
    return Connection(said, private_key, secret, public_key, ca_pem)


Refuse = Callable[[str, str], InvalidConnectionError]


def _check_settings(said: BankSettings, refuse: Refuse) -> None:
    _check_url(said, refuse)
    if said.simulator and said.live:
        raise refuse("simulator", "a simulator never serves accounts that are live")
    if said.simulator and said.private_addresses:
        raise refuse("private_addresses", "a simulator is on this machine and nowhere else")
    if len(set(said.accounts)) != len(said.accounts):
        raise refuse("accounts", "an account stands twice")
    if said.transaction_signature == "symmetric" and said.client_secret_file is None:
        raise refuse("client_secret_file", "missing; a symmetric signature needs it")
    if said.beneficiary_code == "bic" and not said.bics:
        raise refuse("bics", "missing; beneficiary_code is bic")
    if not said.connect_seconds <= said.total_seconds >= said.answer_seconds:
        raise refuse("total_seconds", "is less than what connecting or answering may take")


def _check_url(said: BankSettings, refuse: Refuse) -> None:
    url = said.base_url
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise refuse("base_url", "is not an address") from None
    wanted = ("http", "https") if said.simulator else ("https",)
    if parts.scheme not in wanted:
        raise refuse("base_url", f"begins with {' or '.join(wanted)}")
    shape = f"{parts.scheme}://" + (f"[{host}]" if ":" in host else host)
    if url != (f"{shape}:{port}" if port is not None else shape) or port == 0:
        raise refuse("base_url", "is https://host[:port] in small letters, and nothing else")
    try:
        ip_address(host)
    except ValueError:
        if len(host) > 253 or _HOST.fullmatch(host) is None:
            raise refuse("base_url", "has a host that is no name and no address") from None


def _check_together(made: Sequence[Connection], file: str) -> None:
    names: set[str] = set()
    accounts: dict[tuple[str, str], str] = {}
    for each in made:
        said = each.settings
        if said.name in names:
            raise InvalidConnectionError(file, said.name, "name", "stands twice")
        names.add(said.name)
        for account in said.accounts:
            other = accounts.setdefault((said.bank_code, account), said.name)
            if other != said.name:
                rule = f"{account} is served by {other} already; one connection serves an account"
                raise InvalidConnectionError(file, said.name, "accounts", rule)
