"""Where test files are, and the shortest MT940 that reads."""

from pathlib import Path

import pytest

from bank_adapters import StatementFile, read_statement_file

FIXTURES = Path(__file__).parent / "fixtures"
SAMPLES = Path(__file__).parents[3] / "shared" / "samples" / "bank"


def sample(name: str) -> bytes:
    """Bytes of a shared sample; the test is skipped where the samples are not checked out."""
    if not SAMPLES.is_dir():
        pytest.skip("the shared bank samples (../shared/samples/bank) are not here")
    return (SAMPLES / name).read_bytes()


def fixture(name: str) -> bytes:
    """Bytes of one of our own files."""
    return (FIXTURES / name).read_bytes()


def read_fixture(name: str) -> StatementFile:
    """One of our own files, read with detection."""
    return read_statement_file(fixture(name), name=name)


def mt940(*entries: str, opening: str = "C260208IDR100,00", closing: str = "C260209IDR100,00"):
    """Text of one statement around *entries*; empty balances are left out."""
    lines = [":20:TEST", ":25:0010012345678", ":28C:1/1"]
    lines += [f":60F:{opening}"] if opening else []
    lines += entries
    lines += [f":62F:{closing}", "-"] if closing else []
    return "\r\n".join(lines) + "\r\n"


def codes(file: StatementFile) -> list[str]:
    """Warning codes in order."""
    return [warning.code for warning in file.warnings]
