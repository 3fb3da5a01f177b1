"""
Which Ed25519 public keys we accept (RFC 8032).

Libraries verify under keys of low order, where one signature can fit every message, and under
second encodings of one key. Both are refused before a key is trusted; so is a key outside the
prime-order group, on which verifiers may differ. Keys made by any honest generator pass.
"""

from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from audit.errors import MalformedKeyError, WeakKeyError

PUBLIC_KEY_BYTES = 32

# RFC 8032 section 5.1: field, curve constant and group order of edwards25519.
_P = 2**255 - 19
_D = -121665 * pow(121666, -1, _P) % _P
_L = 2**252 + 27742317777372353535851937790883648493

_Point = tuple[int, int, int, int]  # extended coordinates X, Y, Z, T with x = X/Z, xy = T/Z


@lru_cache(maxsize=1024)
def load_public_key(raw: bytes) -> Ed25519PublicKey:
    """
    The key of 32 raw bytes, checked. About 2 ms the first time, remembered afterwards.

    Raises:
        MalformedKeyError: Not 32 bytes.
        WeakKeyError: Not canonical, not on the curve, of low order, or outside the group.
    """
    if len(raw) != PUBLIC_KEY_BYTES:
        raise MalformedKeyError(f"an Ed25519 public key has 32 bytes, not {len(raw)}")
    point = _decompress(raw)
    if _is_identity(_multiply(8, point)):
        raise WeakKeyError("it has low order")
    if not _is_identity(_multiply(_L, point)):
        raise WeakKeyError("it is outside the prime-order group")
    return Ed25519PublicKey.from_public_bytes(raw)


def _decompress(raw: bytes) -> _Point:
    """RFC 8032 section 5.1.3."""
    number = int.from_bytes(raw, "little")
    sign, y = number >> 255, number & (2**255 - 1)
    if y >= _P:
        raise WeakKeyError("its encoding is not canonical")
    x2 = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(x2, (_P + 3) // 8, _P)
    if (x * x - x2) % _P:
        x = x * pow(2, (_P - 1) // 4, _P) % _P
    if (x * x - x2) % _P:
        raise WeakKeyError("it is not a point of the curve")
    if x == 0 and sign:
        raise WeakKeyError("its encoding is not canonical")
    if x & 1 != sign:
        x = _P - x
    return (x, y, 1, x * y % _P)


def _add(p: _Point, q: _Point) -> _Point:
    """RFC 8032 section 5.1.4; complete, so it doubles as well."""
    a = (p[1] - p[0]) * (q[1] - q[0]) % _P
    b = (p[1] + p[0]) * (q[1] + q[0]) % _P
    c = 2 * p[3] * q[3] * _D % _P
    d = 2 * p[2] * q[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % _P, g * h % _P, f * g % _P, e * h % _P)


def _multiply(scalar: int, point: _Point) -> _Point:
    result: _Point = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = _add(result, point)
        point = _add(point, point)
        scalar >>= 1
    return result


def _is_identity(point: _Point) -> bool:
    return point[0] % _P == 0 and (point[1] - point[2]) % _P == 0
