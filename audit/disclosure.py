"""
Commitments to personal data, and the file that discloses them to an inspector.

    commitment = SHA-256(JCS([salt, field, value]))

The salt is 32 random bytes, written in the array as 64 lower-case hex digits; field is the name of
the field; value is text, or any value of the canonical subset. Leaves carry commitments only, so
erasing salt and value leaves the log whole and says nothing about the person any more: a bare hash
of a tax number could be found by trying them all, a salted one cannot.

A disclosure file has one canonical JSON object a line, each ended by LF:

    {"commitment":"<64 hex>","field":"...","salt":"<64 hex>","value":...}
"""

import re
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from json.encoder import encode_basestring

from audit.canonical import Json, JsonInput, canonical, parse_canonical
from audit.errors import CommitmentMismatchError, MalformedDisclosureError, NotCanonicalError

SALT_BYTES = 32
_HEX32 = re.compile(r"[0-9a-f]{64}")
_MEMBERS = {"commitment", "field", "salt", "value"}


def new_salt() -> bytes:
    """32 bytes from the system's random source. One for each field of each row, never shared."""
    return secrets.token_bytes(SALT_BYTES)


def commit(salt: bytes, field: str, value: JsonInput) -> bytes:
    """
    SHA-256(JCS([hex salt, field, value])), 32 bytes.

    Raises:
        ValueError: The salt is not 32 bytes.
        NotCanonicalError: The value is outside the canonical subset.
    """
    if len(salt) != SALT_BYTES:
        raise ValueError(f"a salt has 32 bytes, not {len(salt)}")
    return sha256(canonical([salt.hex(), field, value])).digest()


def commit_text(salt: bytes, field: str, value: str) -> bytes:
    """
    The same as `commit` for text, about 1 us: for the posting path, where most values are text.

    Raises:
        ValueError: The salt is not 32 bytes.
        NotCanonicalError: A lone surrogate.
    """
    if len(salt) != SALT_BYTES:
        raise ValueError(f"a salt has 32 bytes, not {len(salt)}")
    text = f'["{salt.hex()}",{encode_basestring(field)},{encode_basestring(value)}]'
    try:
        return sha256(text.encode()).digest()
    except UnicodeEncodeError as error:
        raise NotCanonicalError("text holds a lone surrogate") from error


@dataclass(frozen=True, slots=True)
class Disclosure:
    """One committed value laid open: `commitment` and `salt` are 64 lower-case hex digits."""

    commitment: str
    field: str
    salt: str
    value: Json

    @classmethod
    def of(cls, salt: bytes, field: str, value: Json) -> "Disclosure":
        """The disclosure of a value, with its commitment computed."""
        return cls(commit(salt, field, value).hex(), field, salt.hex(), value)

    def to_line(self) -> bytes:
        """One line of the file, with its LF."""
        members = {
            "commitment": self.commitment,
            "field": self.field,
            "salt": self.salt,
            "value": self.value,
        }
        return canonical(members) + b"\n"


def verify_disclosure(disclosure: Disclosure, *, line: int | None = None) -> None:
    """Hash salt, field and value again; CommitmentMismatchError when the hash is another."""
    salt = bytes.fromhex(disclosure.salt)
    if commit(salt, disclosure.field, disclosure.value).hex() != disclosure.commitment:
        raise CommitmentMismatchError(
            commitment=disclosure.commitment, field=disclosure.field, line=line
        )


def parse_disclosure_line(data: bytes, *, line: int | None = None) -> Disclosure:
    """
    Read one line, with its LF, strictly; the commitment is not checked here.

    Raises:
        MalformedDisclosureError: No LF, not canonical, other members, or hex of another shape.
    """
    if not data.endswith(b"\n"):
        raise MalformedDisclosureError("the line does not end in LF", line=line)
    try:
        value = parse_canonical(data[:-1])
    except NotCanonicalError as error:
        raise MalformedDisclosureError(error.reason, line=line) from error
    if not isinstance(value, dict) or value.keys() != _MEMBERS:
        raise MalformedDisclosureError(
            "the members are not commitment, field, salt, value", line=line
        )
    commitment, field, salt = value["commitment"], value["field"], value["salt"]
    if not isinstance(commitment, str) or not _HEX32.fullmatch(commitment):
        raise MalformedDisclosureError("the commitment is not 64 lower-case hex digits", line=line)
    if not isinstance(salt, str) or not _HEX32.fullmatch(salt):
        raise MalformedDisclosureError("the salt is not 64 lower-case hex digits", line=line)
    if not isinstance(field, str):
        raise MalformedDisclosureError("the field is not text", line=line)
    return Disclosure(commitment, field, salt, value["value"])


def read_disclosures(lines: Iterable[bytes]) -> Iterator[Disclosure]:
    """
    Read and verify a disclosure file, given as its lines (an open binary file will do).

    Streams; keeps only the commitments seen. Line numbers in errors are 1-based.

    Raises:
        MalformedDisclosureError: A line that is not ours, or a commitment disclosed twice.
        CommitmentMismatchError: A value that is not what was committed.
    """
    seen: set[bytes] = set()
    for number, data in enumerate(lines, start=1):
        disclosure = parse_disclosure_line(data, line=number)
        key = bytes.fromhex(disclosure.commitment)
        if key in seen:
            raise MalformedDisclosureError("the commitment was disclosed before", line=number)
        seen.add(key)
        verify_disclosure(disclosure, line=number)
        yield disclosure
