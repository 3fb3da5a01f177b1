"""The operator's file of banks: what it says, and every way to say it wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from bank_adapters.snap.banks_file import load_connections
from bank_adapters.snap.connection import Connection, connection_for
from bank_adapters.snap.errors import (
    AccountNotServedError,
    InvalidConnectionError,
    SimulatorForLiveAccountError,
)
from tests.bank_adapters.snap.bank import OURS, SECRET, connect, entry, pem, toml


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files of one bank, as an operator has them."""
    for name, data, mode in (
        ("ours.pem", pem("ours"), 0o600),
        ("theirs.pem", pem("theirs"), 0o644),
        ("secret.txt", f"{SECRET}\n".encode(), 0o600),
        ("banks.toml", toml(entry()).encode(), 0o644),
    ):
        (tmp_path / name).write_bytes(data)
        (tmp_path / name).chmod(mode)
    return tmp_path


def load(folder: Path, *entries: dict[str, Any]) -> tuple[Connection, ...]:
    """Connections of *entries* in *folder*."""
    if entries:
        (folder / "banks.toml").write_text(toml(*entries))
    return load_connections(folder / "banks.toml")


def refusal(folder: Path, *entries: dict[str, Any]) -> InvalidConnectionError:
    """Why *entries* are refused."""
    with pytest.raises(InvalidConnectionError) as caught:
        load(folder, *entries)
    return caught.value


def test_entry_with_its_files_is_a_connection(folder: Path) -> None:
    """Keys come from the files beside; a secret's line break is no part of it."""
    (found,) = load(folder)
    assert "Bank Uji" == found.settings.name
    assert SECRET == found.client_secret
    assert OURS.private_numbers() == found.private_key.private_numbers()
    assert found.bank_public_key is not None
    assert "/snap/v1.0/transfer-intrabank" == found.path("17")
    assert "/snap/v1.0/access-token/b2b" == found.path("73")


def test_paths_follow_the_bank_s_own_version_and_exceptions() -> None:
    """BNI's version is `v1`, BCA's interbank is `v2.0`: paths are data."""
    found = connect(base_path="/openapi", paths={"18": "/openapi/v2.0/transfer-interbank"})
    assert "/openapi/v2.0/transfer-interbank" == found.path("18")
    assert "/openapi/v1.0/transfer-skn" == found.path("23")
    assert "/snap-service/v1/bank-statement" == connect(
        base_path="/snap-service", version="v1"
    ).path("14")
    assert "/bank-statement" == connect(base_path="", version="").path("14")


def test_connection_prints_without_keys(folder: Path) -> None:
    """Neither a secret nor a key stands in what a log may show."""
    shown = repr(load(folder)[0])
    assert SECRET not in shown
    assert "RSA" not in shown


@pytest.mark.parametrize(
    ("changes", "field", "word"),
    [
        ({"bank_code": "1370"}, "bank_code", "regex"),
        ({"bank_code": 137}, "bank_code", "str"),
        ({"name": None}, "", "name"),
        ({"live": None}, "", "live"),
        ({"accounts": []}, "accounts", "length"),
        ({"accounts": ["12a4"]}, "accounts[0]", "regex"),
        ({"accounts": ["0010012345678", "0010012345678"]}, "accounts", "twice"),
        ({"password": "x"}, "", "password"),
        ({"base_url": "http://bank.example"}, "base_url", "https"),
        ({"base_url": "https://bank.example/openapi"}, "base_url", "nothing else"),
        ({"base_url": "https://bank.example/"}, "base_url", "nothing else"),
        ({"base_url": "https://u:p@bank.example"}, "base_url", "nothing else"),
        ({"base_url": "https://Bank.example"}, "base_url", "small letters"),
        ({"base_url": "https://bank.example?x=1"}, "base_url", "nothing else"),
        ({"base_url": "https://bank_.example"}, "base_url", "host"),
        ({"base_url": "https://"}, "base_url", "host"),
        ({"base_url": "https://bank.example:99999"}, "base_url", "address"),
        ({"base_url": "https://bank.example\nX: y"}, "base_url", "address"),
        ({"base_path": "openapi"}, "base_path", "regex"),
        ({"base_path": "/a/../b"}, "base_path", "regex"),
        ({"paths": {"99": "/x"}}, "paths", "99"),
        ({"paths": {"18": "//evil.example"}}, "paths[...]", "regex"),
        ({"client_id": "a\nb"}, "client_id", "regex"),
        ({"channel_id": "952210"}, "channel_id", "regex"),
        ({"signature_encoding": "base32"}, "signature_encoding", "base32"),
        ({"transaction_signature": "none"}, "transaction_signature", "none"),
        ({"client_secret_file": None}, "client_secret_file", "missing"),
        ({"beneficiary_code": "bic"}, "bics", "missing"),
        ({"amount_digits_max": 0}, "amount_digits_max", ">="),
        ({"total_seconds": 1}, "total_seconds", "less"),
        ({"rails": ["cash"]}, "rails[0]", "cash"),
        ({"simulator": True, "live": True}, "simulator", "live"),
        ({"simulator": True, "private_addresses": True}, "private_addresses", "machine"),
        ({"private_key_file": "nowhere.pem"}, "private_key_file", "not there"),
        ({"private_key_file": "theirs.pem"}, "private_key_file", "0644"),
        ({"bank_public_key_file": "ours.pem"}, "bank_public_key_file", "public key"),
        ({"ca_file": "theirs.pem"}, "ca_file", "certificate"),
    ],
)
def test_wrong_entry_is_refused_with_bank_field_and_rule(
    folder: Path, changes: dict[str, Any], field: str, word: str
) -> None:
    """An operator is told where to look: file, bank, field, rule."""
    error = refusal(folder, entry(**changes))
    assert ("banks.toml", field) == (error.file, error.field)
    assert word in error.rule
    assert str(error).startswith("banks.toml: bank ")


@pytest.mark.parametrize("name", ["ours.pem", "secret.txt"])
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_secret_that_others_can_read_is_refused(folder: Path, name: str, mode: int) -> None:
    """0600 is the widest: what could be read has been."""
    (folder / name).chmod(mode)
    assert f"{mode:04o}" in refusal(folder).rule


def test_secret_behind_a_link_is_refused(folder: Path) -> None:
    """A link may be turned to another file after it was looked at."""
    (folder / "other.txt").symlink_to(folder / "secret.txt")
    assert "link" in refusal(folder, entry(client_secret_file="other.txt")).rule


@pytest.mark.parametrize("name", ["banks.toml", "theirs.pem"])
def test_file_that_others_can_write_is_refused(folder: Path, name: str) -> None:
    """Who can write it says where money goes, or who is believed."""
    (folder / name).chmod(0o664)
    assert "written by others" in refusal(folder).rule


@pytest.mark.parametrize("text", ["", "\n", " geheim", "two\nlines", "nul\0"])
def test_secret_that_is_not_one_line_is_refused(folder: Path, text: str) -> None:
    """White space around a secret is a slip of the editor, and would only be seen as bad signatures."""
    (folder / "secret.txt").write_text(text)
    error = refusal(folder)
    assert "one line" in error.rule
    assert text.strip() == "" or text.strip() not in str(error)


def test_key_that_is_weak_locked_or_of_another_kind_is_refused(folder: Path) -> None:
    """RSA of 2048 bits or more, readable without a password."""
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505
    curve = ec.generate_private_key(ec.SECP256R1())
    for key, lock, word in (
        (weak, NoEncryption(), "2048"),
        (curve, NoEncryption(), "RSA"),
        (OURS, BestAvailableEncryption(b"x"), "without a password"),
    ):
        raw = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock)
        (folder / "ours.pem").write_bytes(raw)
        assert word in refusal(folder).rule


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("[[bank", "TOML"),
        ("", "nothing else"),
        ("[bank]\nname = 'x'", "nothing else"),
        ("timeout = 1\n[[bank]]\nname = 'x'", "timeout"),
    ],
)
def test_file_of_another_shape_is_refused(folder: Path, text: str, word: str) -> None:
    """Nothing but [[bank]] entries: a slip is told, not skipped."""
    (folder / "banks.toml").write_text(text)
    assert word in refusal(folder).rule


def test_names_and_accounts_stand_once_in_a_file(folder: Path) -> None:
    """One connection serves an account, and a name means one of them."""
    same_name = refusal(folder, entry(), entry(accounts=["0019999999999"]))
    same_account = refusal(folder, entry(), entry(name="Other"))
    assert ("name", "accounts") == (same_name.field, same_account.field)
    assert "Bank Uji" in same_account.rule


def test_simulator_is_refused_for_an_account_marked_live(folder: Path) -> None:
    """The book's word on an account counts, whatever the file calls itself."""
    simulator = entry(simulator=True, base_url="http://127.0.0.1:8443")
    found = load(folder, simulator)
    assert found[0] is connection_for(found, "137", "0010012345678", live=False)
    with pytest.raises(SimulatorForLiveAccountError):
        connection_for(found, "137", "0010012345678", live=True)
    for bank, account in (("014", "0010012345678"), ("137", "0010012345679")):
        with pytest.raises(AccountNotServedError):
            connection_for(found, bank, account, live=False)
