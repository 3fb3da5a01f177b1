"""References found in bank texts and book entries."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciliation.keys import LineKeys, entry_keys, line_keys, split_keys

SKPD = "1.02.0.00.0.00.01.0000"
FULL = f"04.03/04.0/000123/LS/{SKPD}/P.01/3/2026"
KEY = f"sp2d:000123/LS/{SKPD}/P.01/3/2026"


def _line(narrative: str, *, reference: str = "", bank_reference: str = "") -> LineKeys:
    return line_keys(
        reference=reference,
        bank_reference=bank_reference,
        narrative=narrative,
        transaction_code="NTRF",
        reversal=False,
    )


@pytest.mark.parametrize(
    ("narrative", "key"),
    [
        (f"SP2D NO. {FULL} PT CONTOH", KEY),
        (f"sp2d {FULL.lower()} pt contoh", KEY),
        (f"SP2D {FULL}PT CONTOH", KEY),
        (f"00123/04.0/000123/LS/{SKPD}/P.01/03/2026", KEY),
        (f"123/LS/{SKPD}/P.01/3/2026", KEY),
        ("SP2D NOMOR: 00123/SP2D-BKAD/III/2026", "sp2d:000123/SP2D-BKAD/III/2026"),
        ("SETOR STS/RKUD/0003 PAJAK", "sts:RKUD/0003"),
        ("SETOR 000045/STS/1.02/3/2026", "sts:000045/1.02/3/2026"),
        ("TRF P26-00000123 GAJI", "pay:P26-00000123"),
        ("RETUR P26-00000123R", "pay:P26-00000123"),
        ("GAJIP26-00000123BUDI", "pay:P26-00000123"),
        ("TRF TX-2026-77 A", "ref:TX-2026-77"),
    ],
)
def test_number_whole_in_a_narrative_is_one_canonical_key(narrative: str, key: str) -> None:
    """Each form of a number, however the bank wrote around it, is one spelling."""
    assert (key, 0) in split_keys(_line(narrative).keys)


@pytest.mark.parametrize("length", range(len("04.03/04.0/000123/LS/"), len(FULL)))
def test_number_truncated_is_never_whole(length: int) -> None:
    """Cut anywhere before its end, an SP2D number gives only keys that begin the whole one."""
    keys = [(k, cut) for k, cut in split_keys(_line(FULL[:length]).keys) if k.startswith("sp2d:")]

    assert keys
    assert all(cut == 1 and KEY.startswith(key) for key, cut in keys)


def test_number_short_is_a_prefix() -> None:
    """`SP2D000123` and `SP2D26000123` say the number, not the year: a prefix."""
    for reference in ("SP2D000123", "SP2D26000123", "SP2D 000123"):
        assert ("sp2d:000123/", 1) in split_keys(_line("", reference=reference).keys)


def test_number_short_beside_the_whole_one_is_dropped() -> None:
    """What is said whole is not said again as a prefix."""
    keys = _line(FULL, reference="SP2D000123")

    assert KEY == keys.doc_key
    assert ("sp2d:000123/", 1) not in split_keys(keys.keys)


def test_reference_of_sixteen_characters_may_be_cut() -> None:
    """A field of 16 characters that is full may have lost its end."""
    assert ("ref:TX-2026-00000001", 1) in split_keys(_line("", reference="TX-2026-00000001").keys)
    assert ("ref:TX-2026-0000001", 0) in split_keys(_line("", reference="TX-2026-0000001").keys)


def test_reference_cut_and_whole_in_the_narrative_is_the_whole_one() -> None:
    """The narrative completes what the reference field could not hold."""
    keys = split_keys(_line("BAYAR TX-2026-000000012 A", reference="TX-2026-00000001").keys)

    assert [("ref:TX-2026-000000012", 0)] == keys


def test_two_documents_in_a_line_leave_no_single_one() -> None:
    """A line that names two SP2Ds has both keys and no document key."""
    second = FULL.replace("000123", "000124")

    assert "*" == _line(f"{FULL} {second}").doc_key


@pytest.mark.parametrize("text", ["", "BIAYA ADMINISTRASI", "PT 12", "JL. A/B", "2026", "1/2"])
def test_text_without_reference_gives_no_key(text: str) -> None:
    """Words, years and short numbers are no references."""
    assert "" == _line(text).keys


def test_entry_and_line_agree_on_every_family() -> None:
    """What the books call a movement is what is found in the bank's text."""
    entry = entry_keys(
        payment_reference="P26-00000123",
        document_no=FULL,
        reference="TX-2026-77",
        batch_no="B-0012",
    )
    line = _line(f"P26-00000123 {FULL} TX-2026-77 B-0012 X")

    assert set(split_keys(entry.keys)) <= set(split_keys(line.keys))
    assert (entry.pay_key, entry.doc_key) == (line.pay_key, line.doc_key)


@pytest.mark.parametrize(
    ("code", "narrative", "kind"),
    [
        ("NCHG", "BIAYA", "charge"),
        ("NINT", "JASA GIRO", "interest"),
        ("NTRF", "RETUR DANA", "return"),
        ("NTRF", "RETURNED", ""),
    ],
)
def test_kind_of_a_line_is_told_by_code_or_word(code: str, narrative: str, kind: str) -> None:
    """Charges and interest by transaction code, returns by the bank's words."""
    assert (
        kind
        == line_keys(
            reference="",
            bank_reference="",
            narrative=narrative,
            transaction_code=code,
            reversal=False,
        ).line_kind
    )


@given(st.text(max_size=400), st.text(max_size=20))
def test_any_text_gives_keys_that_a_column_can_hold(narrative: str, reference: str) -> None:
    """Whatever the bank writes, keys are printable ASCII without spaces, few, and come back whole."""
    keys = _line(narrative, reference=reference)

    assert keys.keys.isascii() or not keys.keys
    assert all(" " < character < "~" for key, _ in split_keys(keys.keys) for character in key)
    assert len(split_keys(keys.keys)) <= 16
