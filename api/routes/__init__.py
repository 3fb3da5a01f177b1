"""One thin file a subject: a request becomes a command or a query, an outcome becomes an answer."""

from __future__ import annotations

from fastapi import APIRouter

__all__ = ["routers"]


def routers() -> list[APIRouter]:
    """All routers, in the order of the OpenAPI document."""
    from api.routes import (  # noqa: PLC0415  # they import `feed` here
        balances,
        bank,
        budget,
        dispatch,
        documents,
        journals,
        log,
        manual,
        operations,
        payment_files,
        payments,
        people,
    )

    subjects = (
        journals,
        manual,
        balances,
        budget,
        documents,
        payment_files,
        dispatch,
        payments,
        bank,
        people,
        log,
        operations,
    )
    return [subject.router for subject in subjects]
