"""One thin file a subject: a request becomes a command or a query, an outcome becomes an answer."""

from __future__ import annotations

from fastapi import APIRouter

__all__ = ["routers"]


def routers() -> list[APIRouter]:
    """All routers, in the order of the OpenAPI document."""
    from api.routes import (  # noqa: PLC0415  # they import `feed` here
        balances,
        documents,
        journals,
        operations,
        payments,
        people,
        receipts,
    )

    return [
        people.router,
        documents.router,
        payments.router,
        receipts.router,
        journals.router,
        balances.router,
        operations.router,
    ]
