"""What the treasury exchanges with its banks: statements in, payments out.

This floor turns a bank's bytes into values and back. It knows money, and no journal. Statement
reading is in `bank_adapters.statements`; every refusal is in `bank_adapters.errors`.
"""

from bank_adapters.errors import BankAdapterError, StatementFileError
from bank_adapters.statements import (
    OutgoingEntry,
    Statement,
    StatementFile,
    StatementLine,
    read_statement_file,
    write_camt053,
    write_mt940,
)

__all__ = [
    "BankAdapterError",
    "OutgoingEntry",
    "Statement",
    "StatementFile",
    "StatementFileError",
    "StatementLine",
    "read_statement_file",
    "write_camt053",
    "write_mt940",
]
