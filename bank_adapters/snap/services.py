"""SNAP's services by their two digits: where they are asked, and which rail is which (notes 1.1)."""

from __future__ import annotations

from typing import Final, Literal

from bank_adapters.payments.order import Rail

__all__ = ["CALLBACKS", "PATHS", "TRANSFERS", "TRANSFER_OF_RAIL", "Service"]

Service = Literal["73", "11", "14", "15", "16", "17", "18", "22", "23", "36"]

#: Below a bank's base path and version.
PATHS: Final[dict[Service, str]] = {
    "73": "/access-token/b2b",
    "11": "/balance-inquiry",
    "14": "/bank-statement",
    "15": "/account-inquiry-internal",
    "16": "/account-inquiry-external",
    "17": "/transfer-intrabank",
    "18": "/transfer-interbank",
    "22": "/transfer-rtgs",
    "23": "/transfer-skn",
    "36": "/transfer/status",
}
TRANSFERS: Final = ("17", "18", "22", "23")
TRANSFER_OF_RAIL: Final[dict[Rail, Service]] = {
    "intrabank": "17",
    "bifast": "18",
    "online": "18",
    "rtgs": "22",
    "skn": "23",
}
#: What a bank calls: bulk, SKN and RTGS results.
CALLBACKS: Final[dict[str, str]] = {
    "21": "/transfer-interbank-bulk/notify",
    "75": "/transfer-skn/notify",
    "76": "/transfer-rtgs/notify",
}
