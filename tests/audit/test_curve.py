"""Public keys under which anybody could sign are refused."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.curve import load_public_key
from audit.errors import MalformedKeyError, WeakKeyError

P = 2**255 - 19
# y of the two points of order 8 with even y (RFC 7748's twin of them is well known).
ORDER_8 = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"
ORDER_8_TOO = "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"
TOP = 1 << 255


def le(value: int) -> str:
    """32 bytes, little-endian, in hex."""
    return value.to_bytes(32, "little").hex()


@settings(max_examples=20)
@given(st.binary(min_size=32, max_size=32))
def test_key_of_any_seed_is_accepted(seed: bytes) -> None:
    """Honest keys pass, whatever their seed."""
    raw = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()

    assert raw == load_public_key(raw).public_bytes_raw()


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (le(0), "low order"),
        (le(TOP), "low order"),
        (le(1), "low order"),
        (le(P - 1), "low order"),
        (ORDER_8, "low order"),
        (le(int.from_bytes(bytes.fromhex(ORDER_8), "little") | TOP), "low order"),
        (ORDER_8_TOO, "low order"),
        (le(int.from_bytes(bytes.fromhex(ORDER_8_TOO), "little") | TOP), "low order"),
        (le(1 | TOP), "canonical"),
        (le((P - 1) | TOP), "canonical"),
        (le(P), "canonical"),
        (le(P | TOP), "canonical"),
        (le(P + 1), "canonical"),
        (le(P + 1 | TOP), "canonical"),
        (le(P + 3), "canonical"),
        (le(2**255 - 1), "canonical"),
        (le(2**256 - 1), "canonical"),
        (le(2), "not a point"),
        (le(7), "not a point"),
    ],
)
def test_weak_key_is_refused(raw: str, reason: str) -> None:
    """All eight points of low order, every second spelling, and what is no point are refused."""
    with pytest.raises(WeakKeyError, match=reason):
        load_public_key(bytes.fromhex(raw))


def test_low_order_keys_are_a_danger_that_the_library_leaves_to_us() -> None:
    """Why the check exists: the library takes a zero signature of any text under the identity."""
    identity = Ed25519PublicKey.from_public_bytes(bytes.fromhex(le(1)))

    identity.verify(bytes.fromhex(le(1)) + bytes(32), b"pay everything")


def test_key_outside_the_prime_order_group_is_refused() -> None:
    """The base point plus the point of order two (its negated coordinates) is refused."""
    base_y = 4 * pow(5, -1, P) % P
    mixed = P - base_y  # adding (0, -1) negates both coordinates; x of the base point is even

    with pytest.raises(WeakKeyError, match="prime-order"):
        load_public_key((mixed | TOP).to_bytes(32, "little"))
    load_public_key(base_y.to_bytes(32, "little"))


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_key_of_another_length_is_refused(length: int) -> None:
    """A key has 32 bytes."""
    with pytest.raises(MalformedKeyError, match="32 bytes"):
        load_public_key(bytes(length))
