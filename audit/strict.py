"""
Text readers that take one spelling only.

Python's own are generous: int() takes "1_000", " 12", "+12" and Arabic digits; b64decode drops
foreign characters unless told, and takes loose trailing bits even then. All raise ValueError.
"""

import base64
import binascii
import re

COUNT_MAX = 2**63 - 1  # sizes and indexes are stored in signed 64-bit columns
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")


def parse_decimal(text: str) -> int:
    """A count from 0 to 2**63-1 in ASCII digits without a leading zero."""
    if not _DECIMAL.fullmatch(text) or (value := int(text)) > COUNT_MAX:
        raise ValueError("not a decimal number, or too large")
    return value


def encode_base64(data: bytes) -> str:
    """Standard base64, padded (RFC 4648 section 4)."""
    return base64.b64encode(data).decode("ascii")


def decode_base64(text: str) -> bytes:
    """Standard base64, padded, without foreign characters and with zero trailing bits."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise ValueError("not base64") from error
    if encode_base64(data) != text:
        raise ValueError("not canonical base64")
    return data
