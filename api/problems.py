"""
Errors as problem+json (RFC 9457): the one table from an error's code to its HTTP status.

`type` is `/problems/<code>`, a page that this server gives; the offending values are members. A
status says whose turn it is: 400 unreadable, 401 and 403 who asks, 404 unknown, 409 the books stand
otherwise (it may work later, or under another key), 422 the request itself is wrong, 503 try again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

import msgspec
from starlette.responses import Response

from api.errors import ApiError, InternalError
from audit.errors import AuditError, SignerError, UnsafeKeyFileError
from audit.log import BookMissingError
from bank_adapters.errors import BankAdapterError
from ledger.errors import LedgerError, shown
from ledger.money import InvalidAmountError

__all__ = [
    "EXAMPLES",
    "MEDIA_TYPE",
    "STATUSES",
    "catalogue",
    "is_named",
    "problem",
    "problem_response",
    "responses",
    "status_of",
    "title_of",
]

MEDIA_TYPE: Final = "application/problem+json"

#: By code; whatever is not here has the status of its family (`_FAMILIES`).
STATUSES: Final[dict[str, int]] = {
    # who asks
    "token_required": 401,
    "invalid_token": 401,
    "token_of_another_government": 403,
    "private_grant_required": 403,
    "not_granted": 403,
    "own_approval": 403,
    "feed_kind_not_allowed": 403,
    "crosses_government": 403,
    "not_for_operator": 403,
    "callback_refused": 401,
    # how
    "malformed_json": 400,
    "body_missing": 400,
    "idempotency_key_required": 400,
    "invalid_idempotency_key": 400,
    "body_too_large": 413,
    "method_not_allowed": 405,
    "invalid_request": 422,
    # what
    "not_found": 404,
    "unknown_government": 404,
    "book_missing": 404,
    "unknown_journal": 404,
    "unknown_person": 404,
    "unknown_document": 404,
    "unknown_payment": 404,
    "unknown_proposal": 404,
    "unknown_grant": 404,
    "unknown_token": 404,
    "unknown_key": 404,
    "unknown_officer_key": 404,
    "unknown_statement": 404,
    "unknown_run": 404,
    "unknown_match": 404,
    "unknown_item": 404,
    "unknown_subject": 404,
    "unknown_leaf": 404,
    # the books stand otherwise
    "reference_reused": 409,
    "idempotency_key_reused": 409,
    "period_sealed": 409,
    "period_already_sealed": 409,
    "fiscal_year_not_open": 409,
    "journal_already_reversed": 409,
    "journal_belongs_to_document": 409,
    "over_cash": 409,
    "over_ceiling": 409,
    "over_release": 409,
    "book_exists": 409,
    "earlier_period_open": 409,
    "period_not_over": 409,
    "document_move_not_allowed": 409,
    "payment_move_not_allowed": 409,
    "payment_not_held": 409,
    "already_so": 409,
    "no_call": 409,
    "may_be_with_bank": 409,
    "not_by_file": 409,
    "settlement_out_of_date": 409,
    "settling_needs_two_persons": 409,
    "answer_contradicts": 409,
    "payment_answered": 409,
    "nothing_to_pay": 409,
    "spm_used": 409,
    "nonce_used": 409,
    "proposal_altered": 409,
    "text_erased": 409,
    "grant_overlaps": 409,
    "exclusive_roles": 409,
    "last_administrators": 409,
    "ceiling_below_use": 409,
    "release_below_use": 409,
    "allowance_too_low": 409,
    "budget_line_changed": 409,
    "budget_file_loaded": 409,
    "item_not_open": 409,
    "match_already_undone": 409,
    "no_statement": 409,
    "chain_broken": 409,
    "delivery_differs": 409,
    "closed_day_changed": 409,
    "reissue_misplaced": 409,
    "awaiting_decision": 409,
    "not_kept_aside": 409,
    "not_supersedable": 409,
    "statement_bytes_erased": 409,
    # whether it can be served
    "queue_full": 503,
    "stopping": 503,
    "outcome_unknown": 503,
    "database_unavailable": 503,
    "database_behind_signer": 503,
    "log_damaged": 503,
    "log_key_missing": 503,
    "bank_unreachable": 503,
    "token_refused": 503,
    "clock_skew": 503,
    "unreadable_answer": 503,
    "address_refused": 500,
    "invalid_connection": 500,
    "banks_file_missing": 503,
    "files_missing": 503,
    "dispatcher_unknown": 503,
    "revision_changed": 412,
    "period_busy": 409,
    "not_published": 404,
    "token_not_valid": 401,
    "database_refused": 500,
    "internal": 500,
    "data_dir_missing": 500,
    "unsafe_data_dir": 500,
}

#: Codes that end like this say that the books stand otherwise.
_STATE: Final = re.compile(r".*_(reused|exists|taken|ended|decided|not_allowed_in_state|stale)")

_FAMILIES: Final[tuple[tuple[type[Exception], int], ...]] = (
    (SignerError, 503),
    (UnsafeKeyFileError, 500),
    (AuditError, 422),
    (BankAdapterError, 422),
    (LedgerError, 422),
    (InvalidAmountError, 422),
    (ApiError, 500),
)
_RESERVED: Final = frozenset({"type", "title", "status", "detail", "instance", "code"})
_encode: Final = msgspec.json.Encoder(enc_hook=str).encode


def is_named(error: BaseException) -> bool:
    """Whether *error* is a refusal of ours, to be given back by name."""
    return isinstance(error, tuple(family for family, _ in _FAMILIES))


def status_of(kind: type[BaseException]) -> int:
    """HTTP status of a class of errors."""
    code = str(getattr(kind, "code", ""))
    if code in STATUSES:
        return STATUSES[code]
    if _STATE.fullmatch(code):
        return 409
    return next((status for family, status in _FAMILIES if issubclass(kind, family)), 500)


def title_of(kind: type[BaseException]) -> str:
    """What a class of errors means, in a sentence: the first line of its docstring."""
    lines = (kind.__doc__ or kind.__name__).strip().splitlines()
    return " ".join(lines[0].split())


def problem(error: Exception, *, correlation_id: str = "") -> dict[str, object]:
    """The members of a problem document. What is not ours is an `internal` fault without detail."""
    if not is_named(error):
        error = InternalError()
    kind = type(error)
    code = str(getattr(kind, "code", "internal"))
    values = getattr(error, "values", None)
    if not isinstance(values, dict):
        values = {
            name: shown(value) for name, value in vars(error).items() if not name.startswith("_")
        }
    members: dict[str, object] = {
        "type": f"/problems/{code}",
        "title": title_of(kind),
        "status": status_of(kind),
        "detail": str(getattr(error, "message", error)),
        "code": code,
    }
    if correlation_id:
        members["correlation_id"] = correlation_id
    for name, value in values.items():
        members[f"{name}_" if name in _RESERVED else name] = _plain(value)
    return members


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, tuple | set | frozenset):
        return [_plain(each) for each in value]
    return value


def body_of(error: Exception, *, correlation_id: str = "") -> bytes:
    """The problem document as JSON bytes."""
    try:
        return _encode(problem(error, correlation_id=correlation_id))
    except UnicodeEncodeError:  # a lone surrogate that somebody sent us
        text = {k: ascii(v) for k, v in problem(error, correlation_id=correlation_id).items()}
        return _encode(text)


def headers_of(error: Exception) -> dict[str, str]:
    """Headers that go with an error."""
    retry_after = getattr(error, "retry_after", None)
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    if status_of(type(error)) == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return headers


def problem_response(error: Exception, *, correlation_id: str = "") -> Response:
    """The answer for an error."""
    named = error if is_named(error) else InternalError()
    return Response(
        body_of(named, correlation_id=correlation_id),
        status_code=status_of(type(named)),
        headers=headers_of(named),
        media_type=MEDIA_TYPE,
    )


def responses(*kinds: type[Exception]) -> dict[int | str, dict[str, Any]]:
    """OpenAPI entries for the errors that a route can give, by status with one example a code."""
    by_status: dict[int, list[type[Exception]]] = {}
    for kind in kinds:
        by_status.setdefault(status_of(kind), []).append(kind)
    return {
        status: {
            "description": ", ".join(
                sorted({str(getattr(kind, "code", "")) for kind in of_status})
            ),
            "content": {
                MEDIA_TYPE: {
                    "schema": {"$ref": "#/components/schemas/Problem"},
                    "examples": {
                        code: {"$ref": f"#/components/examples/{code}"}
                        for code in (_registered(kind) for kind in of_status)
                    },
                }
            },
        }
        for status, of_status in sorted(by_status.items())
    }


#: An example of every problem that a route names; `api.app` puts them into the document.
EXAMPLES: Final[dict[str, dict[str, object]]] = {}


def _registered(kind: type[Exception]) -> str:
    code = str(getattr(kind, "code", ""))
    EXAMPLES[code] = _example(kind)
    return code


def _example(kind: type[Exception]) -> dict[str, object]:
    code = str(getattr(kind, "code", ""))
    return {
        "summary": title_of(kind),
        "value": {
            "type": f"/problems/{code}",
            "title": title_of(kind),
            "status": status_of(kind),
            "detail": title_of(kind),
            "code": code,
        },
    }


def catalogue() -> list[tuple[str, int, str]]:
    """Code, status and meaning of every error that is loaded, by code."""
    found = {
        str(getattr(kind, "code", "")): kind
        for family in (LedgerError, AuditError, ApiError, BankAdapterError, InvalidAmountError)
        for kind in [family, *_subclasses(family)]
    }
    return [
        (code, status_of(kind), " ".join((kind.__doc__ or "").split()))
        for code, kind in sorted(found.items())
    ]


def _subclasses(kind: type[Exception]) -> Iterable[type[Exception]]:
    for each in kind.__subclasses__():
        yield each
        yield from _subclasses(each)


# A missing book is an unknown government to whoever asks over HTTP.
STATUSES[BookMissingError.code] = 404
