"""Names of account holders as banks write them."""

from __future__ import annotations

import pytest

from bank_adapters.payments.names import same_holder


@pytest.mark.parametrize(
    ("ours", "banks"),
    [
        ("CV Maju Jaya", "MAJU JAYA CV"),
        ("PT. Sumber Rejeki, Tbk.", "PT SUMBER REJEKI"),
        ("Bpk. H. Ahmad Syarif", "AHMAD SYARIF"),
        ("Yayasan Al-Ikhlas Serang", "YAYASAN AL IKHLAS SERA"),
        ("José Ma'ruf", "JOSE MARUF"),
        ("Dinas Kesehatan Provinsi Banten", "DINAS KESEHATAN PROVI"),
    ],
)
def test_same_holder_is_known_under_the_banks_spelling(ours: str, banks: str) -> None:
    """Capitals, points, legal forms and a cut end make no other person."""
    assert same_holder(ours, banks)
    assert same_holder(banks, ours)


@pytest.mark.parametrize(
    ("ours", "banks"),
    [
        ("CV Maju Jaya", "CV MAJU MUNDUR"),
        ("Ahmad Syarif", "AHMAD SYARIFUDDIN ALI".replace("AHMAD ", "")),
        ("PT Jaya", "PT JAY"),
        ("CV Maju", ""),
        ("", "CV MAJU"),
        ("PT", "CV"),
        ("Budi", "Budiman Santoso"),
    ],
)
def test_other_holder_is_left_to_a_person(ours: str, banks: str) -> None:
    """Another name, a beginning too short to tell, or none at all."""
    assert not same_holder(ours, banks)
