"""Bank statements: files of any bank to one kind of value, strictly.

`read_statement_file` is the way in. A file is read whole and without guessing, or refused by name
with the line. What is odd but has one meaning is read and noted in `warnings`; what does not add
up is read and says so.
"""

from bank_adapters.statements.camt_writer import write_camt053
from bank_adapters.statements.mt940_writer import write_mt940
from bank_adapters.statements.outgoing import OutgoingEntry
from bank_adapters.statements.profile import (
    Profile,
    all_profiles,
    is_shipped,
    parse_profile,
    profile_named,
    profile_of_record,
)
from bank_adapters.statements.registry import FORMATS, SIZE_BYTES_MAX, read_statement_file
from bank_adapters.statements.statement import (
    Balance,
    Statement,
    StatementFile,
    StatementFileJSON,
    StatementLine,
    Warning_,
)

__all__ = [
    "FORMATS",
    "SIZE_BYTES_MAX",
    "Balance",
    "OutgoingEntry",
    "Profile",
    "Statement",
    "StatementFile",
    "StatementFileJSON",
    "StatementLine",
    "Warning_",
    "all_profiles",
    "is_shipped",
    "parse_profile",
    "profile_named",
    "profile_of_record",
    "read_statement_file",
    "write_camt053",
    "write_mt940",
]
