"""Which files are read by whom, and the refusals before any reader begins."""

import hashlib
import os

import pytest

from bank_adapters import BankAdapterError, errors, read_statement_file
from bank_adapters.statements import SIZE_BYTES_MAX, statement
from tests.bank_adapters.camt_messages import camt
from tests.bank_adapters.helpers import codes, fixture, mt940
from tests.bank_adapters.workbooks import archive

PLAIN = mt940(":61:2602090209C1,00NTRFNONREF", ":86:CAFÉ MÜLLER", closing="C260209IDR101,00")


@pytest.mark.parametrize(
    ("data", "warnings"),
    [
        (PLAIN.encode(), []),
        (b"\xef\xbb\xbf" + PLAIN.encode(), []),
        (PLAIN.encode("utf-16"), []),
        (PLAIN.encode("utf-32"), []),
        (PLAIN.encode("cp1252"), ["encoding_assumed"]),
        (PLAIN.replace("\r\n", "\r").encode(), []),
        (PLAIN.replace("\r\n", "\n").encode(), []),
        (b"\x01" + PLAIN.encode() + b"\x03\x1a", ["control_characters"]),
    ],
)
def test_file_in_any_encoding_and_line_end_reads_the_same(data, warnings):
    """Byte order marks, cp1252, CR alone and control characters change no value."""
    file = read_statement_file(data)

    assert file.statements[0].lines[0].narrative == "CAFÉ MÜLLER"
    assert file.statements[0].lines[0].position == 5
    assert file.statements[0].adds_up is True
    assert warnings == codes(file)


def test_file_in_bytes_outside_cp1252_is_read_as_latin_1_with_a_warning():
    """Byte 0x81 is no cp1252; the file is still read, and the assumption is noted."""
    data = mt940(":61:2602090209C1,00NTRFNONREF", ":86:A\x81B").encode("latin-1")
    file = read_statement_file(data)

    assert file.statements[0].lines[0].narrative == "A\x81B"
    assert "latin-1" in file.warnings[0].message


def test_line_separators_of_unicode_end_no_line():
    """U+2028 and U+0085 inside a text are text, so positions stay those of the file."""
    text = mt940(
        ":61:2602090209C1,00NTRFNONREF", ":86:A\u2028:62F:B\u0085C", closing="C260209IDR101,00"
    )
    file = read_statement_file(text.encode())

    assert file.statements[0].lines[0].narrative == "A\u2028:62F:B\u0085C"


@pytest.mark.parametrize(
    ("data", "options", "error"),
    [
        (b"", {}, errors.EmptyFileError),
        (b" \r\n\t", {}, errors.EmptyFileError),
        (b"\xef\xbb\xbf\r\n", {}, errors.EmptyFileError),
        (b"x" * 101, {"size_bytes_max": 100}, errors.OversizedFileError),
        (b"PK\x03\x04rest", {}, errors.UnsafeArchiveError),
        (b"%PDF-1.7", {}, errors.BinaryContentError),
        (b"\x1f\x8b\x08", {}, errors.BinaryContentError),
        (b":20:A\n:25:1\x00\n", {}, errors.BinaryContentError),
        (b"\xff\xfeA", {}, errors.UndecodableTextError),
        (b"\xef\xbb\xbf\xff", {}, errors.UndecodableTextError),
        (b"hello", {}, errors.UnknownFormatError),
        (b"hello", {"format": "csv"}, errors.UnknownFormatError),
        (b"hello", {"format": "mt940"}, errors.StatementNotFoundError),
        (b"hello", {"profile": "bri-cms"}, errors.HeaderNotFoundError),
        (b"hello", {"format": "camt053"}, errors.UnsupportedFormatError),
        (b"hello", {"profile": "none"}, errors.UnknownProfileError),
        (b"hello", {"format": "mt940", "profile": "bri-cms"}, errors.UnsupportedFormatError),
    ],
)
def test_file_or_option_that_leads_nowhere_is_refused_by_name(data, options, error):
    """Empty, huge, binary and unknown files, and options that contradict, have a name each."""
    with pytest.raises(BankAdapterError) as refused:
        read_statement_file(data, **options)

    assert error is type(refused.value)


def test_file_with_zero_bytes_is_refused_with_the_line():
    """The line of the first zero byte is named."""
    with pytest.raises(errors.BinaryContentError) as refused:
        read_statement_file(b":20:A\r\n:25:1\r\n\x00")

    assert refused.value.position == 3


def test_file_that_two_readers_claim_is_refused_with_both_names():
    """Detection only proposes: two claims are a refusal, and naming the format decides."""
    both = fixture("csv-generic-bpd-newest-first.csv") + PLAIN.encode()

    with pytest.raises(errors.AmbiguousFormatError) as refused:
        read_statement_file(both)

    assert refused.value.candidates == ("mt940", "csv with profile generic-bpd")
    assert len(read_statement_file(both, format="mt940").statements) == 1


def test_file_noise_is_refused():
    """Random bytes are no statement."""
    with pytest.raises(BankAdapterError):
        read_statement_file(os.urandom(5000))


def test_file_read_carries_its_hash_format_profile_and_name():
    """The answer says which bytes were read, and by whom."""
    data = fixture("csv-bca-bisnis.csv")
    file = read_statement_file(data, name="mutasi.csv")

    assert hashlib.sha256(data).hexdigest() == file.to_json()["file_sha256"]
    assert (file.format, file.profile, file.name) == ("csv", "bca-bisnis", "mutasi.csv")
    assert {"file_sha256", "format", "statements", "warnings"} == set(file.to_json())
    assert SIZE_BYTES_MAX == 256 * 1024 * 1024


def test_errors_all_have_their_own_code():
    """A code is the class name in snake_case, unique, for every refusal of this floor."""

    def below(cls):
        return {cls}.union(*map(below, cls.__subclasses__()))

    codes_ = {cls: cls.code for cls in below(BankAdapterError)}

    assert len(codes_) == len(set(codes_.values()))
    assert errors.UnreadableEntryError.code == "unreadable_entry"
    assert errors.OversizedFileError.code == "oversized_file"


EMPTY = {
    "mt940": b":20:X\n:25:1\n:60F:C260208IDR1,00\n" + b":25:2\n" * 4,
    "camt": camt("<Stmt/>" * 5),
}


@pytest.mark.parametrize("name", ["mt940", "camt"])
def test_file_of_more_statements_than_a_bank_sends_is_refused(name, monkeypatch):
    """Six bytes begin a statement, which takes a hundred times as much: their number has an end."""
    assert len(read_statement_file(EMPTY[name], format=name).statements) == 5
    monkeypatch.setattr(statement, "STATEMENTS_MAX", 4)

    with pytest.raises(errors.TooManyStatementsError, match="5 statements or pages") as refused:
        read_statement_file(EMPTY[name], format=name)

    assert (5, 4) == (refused.value.count, refused.value.maximum)


def test_archive_of_more_statements_than_a_bank_sends_is_refused(monkeypatch):
    """Members that stay within the limit each must do so together."""
    files = archive({f"{n}.sta": PLAIN for n in range(4)})
    assert len(read_statement_file(files).statements) == 4
    monkeypatch.setattr(statement, "STATEMENTS_MAX", 3)

    with pytest.raises(errors.TooManyStatementsError):
        read_statement_file(files)


def test_table_of_more_accounts_than_a_bank_sends_is_refused(monkeypatch):
    """Each account of a table is a statement."""
    data = fixture("csv-mandiri-mcm.csv")
    monkeypatch.setattr(statement, "STATEMENTS_MAX", 0)

    with pytest.raises(errors.TooManyStatementsError):
        read_statement_file(data)
