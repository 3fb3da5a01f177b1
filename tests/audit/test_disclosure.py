"""Commitments and the disclosure file."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.canonical import Json
from audit.disclosure import (
    Disclosure,
    commit,
    commit_text,
    new_salt,
    parse_disclosure_line,
    read_disclosures,
    verify_disclosure,
)
from audit.errors import CommitmentMismatchError, MalformedDisclosureError, NotCanonicalError

SALT = bytes(range(32))
GOLDEN = (
    b'{"commitment":"a50450c07d84786433b8279757383b1c28a383ac1f15ab0730f57eb91282e3a2",'
    b'"field":"payee_name",'
    b'"salt":"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",'
    b'"value":"CV Maju \xc3\x89"}\n'
)


def test_commitment_is_the_hash_of_salt_field_and_value() -> None:
    """The hashed bytes are a JSON array of hex salt, field name and value."""
    data = f'["{SALT.hex()}","payee_name","CV Maju É"]'.encode()

    assert sha256(data).digest() == commit(SALT, "payee_name", "CV Maju É")


@given(st.binary(min_size=32, max_size=32), st.text(), st.text())
def test_commit_text_is_commit(salt: bytes, field: str, value: str) -> None:
    """The quick writer and the checked one agree on every text, also in refusing surrogates."""
    try:
        expected = commit(salt, field, value)
    except NotCanonicalError:
        with pytest.raises(NotCanonicalError):
            commit_text(salt, field, value)
    else:
        assert expected == commit_text(salt, field, value)


def test_commitments_differ_by_salt_field_value_and_type() -> None:
    """No two of them share a commitment, nor does a boundary between field and value move."""
    commitments = {
        commit(SALT, "a", "b"),
        commit(SALT[::-1], "a", "b"),
        commit(SALT, "b", "b"),
        commit(SALT, "a", "c"),
        commit(SALT, "a", None),
        commit(SALT, "a", "1"),
        commit(SALT, "a", 1),
        commit(SALT, "ab", ""),
        commit(SALT, "", "ab"),
    }

    assert 9 == len(commitments)


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_commit_with_a_salt_of_another_length_is_refused(length: int) -> None:
    """A short salt would make values guessable."""
    with pytest.raises(ValueError, match="32 bytes"):
        commit(bytes(length), "a", "b")
    with pytest.raises(ValueError, match="32 bytes"):
        commit_text(bytes(length), "a", "b")


def test_new_salts_are_32_bytes_and_differ() -> None:
    """Salts come from the random source."""
    salts = {new_salt() for _ in range(100)}

    assert 100 == len(salts)
    assert {32} == set(map(len, salts))


def test_disclosure_line_is_its_known_bytes() -> None:
    """The form of a line never changes."""
    assert GOLDEN == Disclosure.of(SALT, "payee_name", "CV Maju É").to_line()


@given(
    st.lists(
        st.tuples(st.binary(min_size=32, max_size=32), st.text('aé\n"\\'), st.text("xß\u2028"))
    )
)
def test_disclosures_written_are_read_back(rows: list[tuple[bytes, str, Json]]) -> None:
    """A file gives back what was disclosed, in order, and each holds."""
    expected = list({d.commitment: d for d in (Disclosure.of(*row) for row in rows)}.values())

    assert expected == list(read_disclosures(d.to_line() for d in expected))


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"\n", b"", "LF"),
        (b"\n", b"\r\n", "after"),
        (b"\n", b"\n\n", "after"),
        (b'"field"', b'"name"', "members"),
        (b'"field":"payee_name"', b'"fielf":"payee_name"', "members"),
        (b'"field":"payee_name",', b"", "members"),
        (b'"value"', b'"valuf":1,"value"', "order"),
        (b'"value"', b'"tag":1,"value"', "members"),
        (b"payee_name", b"payee\\u005fname", "differ"),
        (b'"payee_name"', b"1", "field is not text"),
        (b'"000102', b'"00010', "salt"),
        (b"0a0b0c", b"0A0B0C", "salt"),
        (b'"a504', b'"A504', "commitment"),
        (b'"a504', b'"504', "commitment"),
        (b"{", b"[", "not JSON"),
    ],
)
def test_disclosure_line_of_another_shape_is_refused(old: bytes, new: bytes, reason: str) -> None:
    """A line is read in its one spelling or not at all, and the refusal names the line."""
    with pytest.raises(MalformedDisclosureError, match=reason) as refused:
        list(read_disclosures([GOLDEN.replace(old, new, 1)]))

    assert 1 == refused.value.line


def test_disclosure_given_twice_is_refused() -> None:
    """Each commitment is opened once."""
    with pytest.raises(MalformedDisclosureError, match="before") as refused:
        list(read_disclosures([GOLDEN, GOLDEN]))

    assert 2 == refused.value.line


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"CV Maju", b"CV Mapu"),
        (b"payee_name", b"payee_nama"),
        (b"1e1f", b"1e1e"),
        (b"a504", b"a500"),
    ],
)
def test_disclosure_of_another_value_is_refused_without_telling_it(old: bytes, new: bytes) -> None:
    """A changed value, field, salt or commitment does not hold; the message holds no value."""
    with pytest.raises(CommitmentMismatchError) as refused:
        list(read_disclosures([GOLDEN.replace(old, new, 1)]))

    assert 1 == refused.value.line
    assert "Ma" not in str(refused.value)


def test_one_disclosure_can_be_verified_alone() -> None:
    """A parsed line verifies without a file around it."""
    disclosure = parse_disclosure_line(GOLDEN)
    verify_disclosure(disclosure)

    assert "CV Maju É" == disclosure.value
