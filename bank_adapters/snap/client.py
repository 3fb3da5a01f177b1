"""
The client of one bank: signs, sends once, and says what the answer means. A shell, for many threads.

Nothing is sent again by itself but one thing: a call that the bank refused for its token (401xx00,
01, 03), once, with a fresh token and an external id of its own. Whatever else happens after the
first byte of a payment went out is an answer that says `unknown`; whatever `send` raises, nothing of
the payment had gone out.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from types import TracebackType
from typing import Final, Self

from bank_adapters.errors import BankAdapterError, OversizedFileError
from bank_adapters.payments.order import BankAnswer, PaymentOrder
from bank_adapters.snap import messages
from bank_adapters.snap.answers import read_answer
from bank_adapters.snap.connection import Connection
from bank_adapters.snap.errors import (
    BankUnreachableError,
    ClockSkewError,
    SnapError,
    TokenRefusedError,
    UnreadableAnswerError,
)
from bank_adapters.snap.outbound import Answer, Outbound, Transport
from bank_adapters.snap.replies import (
    AccountBalance,
    MisfitError,
    code_of,
    message_of,
    read_balance,
    read_name,
    read_object,
    read_token,
    successful,
)
from bank_adapters.snap.services import TRANSFERS, Service
from bank_adapters.snap.signatures import (
    asymmetric_text,
    sign_hmac,
    sign_rsa,
    symmetric_text,
    timestamp,
    token_text,
)
from bank_adapters.snap.times import retry_after, seconds_apart, time_of
from bank_adapters.statements.registry import SIZE_BYTES_MAX
from bank_adapters.statements.snap import Window, next_window, read_page

__all__ = ["ExternalIds", "SnapClient"]

#: Gives the X-EXTERNAL-ID of a call that its caller gave none for, 1-32 digits, new for the day in
#: Jakarta. The argument is the order's reference where a payment is sent again after a refused
#: token ("" for questions): that attempt is kept before this returns. Called from many threads.
ExternalIds = Callable[[str], str]
Clock = Callable[[], datetime]

_WIB: Final = timezone(timedelta(hours=7))
_PAGES_MAX: Final = 1000
#: Of all but a statement's page; a payment's answer is kept as evidence.
_ANSWER_BYTES_MAX: Final = 1 << 18
#: A token is given up this long before it ends, or at half its life where that is sooner.
_TOKEN_MARGIN_SECONDS: Final = 30
#: Refused for its token or its signature before anything was done (notes 1.6).
_TOKEN_CASES: Final = frozenset({"00", "01", "03"})


@dataclass(frozen=True, slots=True)
class _Held:
    """A token and when it is given up, on the monotonic clock."""

    text: str = field(repr=False)
    until: float


class SnapClient:
    """
    One bank's client.

    *clock* gives the time with a zone. *transport* replaces the way out (tests); the default is an
    `Outbound` of the connection.
    """

    def __init__(
        self,
        connection: Connection,
        clock: Clock,
        external_ids: ExternalIds,
        transport: Transport | None = None,
    ) -> None:
        self._connection = connection
        self._said = connection.settings
        self._clock = clock
        self._external_ids = external_ids
        self._transport = Outbound(connection) if transport is None else transport
        self._token: _Held | None = None
        self._token_lock = threading.Lock()
        self._skew_seconds = 0

    def __repr__(self) -> str:
        return f"SnapClient({self._said.name})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    @property
    def checks_names(self) -> bool:
        """Whether holders are asked for before a payee is first paid."""
        return self._said.name_check

    def send(self, order: PaymentOrder, external_id: str) -> BankAnswer:
        """
        Send a payment once. A bank that could not be reached before the first byte is `retry`.

        Raises (nothing of the payment went out): AccountNotServedError, UnsendableOrderError,
        TokenRefusedError, ClockSkewError, AddressRefusedError.
        """
        messages.check_external_id(external_id)
        service, body = messages.transfer_body(self._said, order)
        return self._ask(service, body, external_id, order)

    def status(
        self,
        order: PaymentOrder,
        sent_external_id: str,
        external_id: str,
        *,
        bank_reference: str = "",
    ) -> BankAnswer:
        """
        Ask what became of a payment (36). *sent_external_id* goes along only where the bank's entry
        says so; *bank_reference* where the bank gave one. Raises as `send` but ClockSkewError.
        """
        messages.check_external_id(external_id)
        body = messages.status_body(
            self._said, order, sent_external_id=sent_external_id, bank_reference=bank_reference
        )
        return self._ask("36", body, external_id, order)

    def inquire_account(
        self, bank_code: str, account: str, *, reference: str = "", external_id: str = ""
    ) -> str:
        """
        The holder's name of an account at this bank (15) or another (16).

        Raises BankRefusedError (404xx11: no such account), BankUnreachableError,
        UnreadableAnswerError, and what `send` raises for token and address.
        """
        service, body = messages.account_inquiry_body(self._said, bank_code, account, reference)
        answer = self._question(service, body, external_id)
        return read_name(service, answer.http_status, answer.body, account)

    def balance(self, account: str, *, external_id: str = "") -> AccountBalance:
        """What the bank says an RKUD holds now (11). Raises as `inquire_account`."""
        body = messages.balance_body(self._said, account)
        answer = self._question("11", body, external_id)
        return read_balance(answer.http_status, answer.body, account)

    def statement_page(
        self, account: str, start: datetime, end: datetime, *, external_id: str = ""
    ) -> bytes:
        """One page of the statement (14), as the bank sent it. Raises as `inquire_account`."""
        body = messages.statement_body(
            self._said, account, start.astimezone(_WIB), end.astimezone(_WIB)
        )
        answer = self._question("14", body, external_id)
        successful("14", answer.http_status, answer.body)
        return answer.body

    def statement_pages(
        self, account: str, window: Window, *, overlap_seconds: int = 1
    ) -> list[bytes]:
        """
        All pages of *window*, each asked for again from a little before the last one's end.

        Raises as `inquire_account`; UnreadableAnswerError where paging does not move,
        OversizedFileError where the pages are more than one file takes.
        """
        pages: list[bytes] = []
        size = 0
        while len(pages) < _PAGES_MAX:
            pages.append(self.statement_page(account, *window))
            size += len(pages[-1])
            if size > SIZE_BYTES_MAX:
                raise OversizedFileError(size, SIZE_BYTES_MAX)
            page = read_page(pages[-1], len(pages))
            if not page.has_more:
                return pages
            window = next_window(page, window, len(pages), overlap_seconds=overlap_seconds)
        raise UnreadableAnswerError("14", "hasMore", f"is Y after {_PAGES_MAX} pages")

    def _ask(
        self, service: Service, body: bytes, external_id: str, order: PaymentOrder
    ) -> BankAnswer:
        try:
            answer = self._call(service, body, external_id, order.reference)
        except BankUnreachableError as error:
            # An unanswered question says nothing, however little of it went out.
            unsent = not error.sent and service != "36"
            return BankAnswer("retry" if unsent else "unknown", 0, "", str(error))
        wait = retry_after(answer.headers.get("retry-after", ""), self._clock())
        return read_answer(service, answer.http_status, answer.body, order, retry_after=wait)

    def _question(self, service: Service, body: bytes, external_id: str) -> Answer:
        given = messages.check_external_id(external_id or self._external_ids(""))
        return self._call(service, body, given, "")

    def _call(self, service: Service, body: bytes, external_id: str, reference: str) -> Answer:
        """One call; after a refused token a second one, with a new token and a new external id."""
        moves_money = service in TRANSFERS
        if self._said.transaction_signature == "asymmetric":
            if moves_money:
                self._check_clock()
            return self._post(service, body, external_id, None)
        # A clock that was off is looked at again before it refuses a payment.
        doubted = self._token if moves_money and self._is_skewed() else None
        token = self._fresh_token(doubted)
        if moves_money:
            self._check_clock()
        answer = self._post(service, body, external_id, token.text)
        if answer.http_status != 401 or not _is_about_token(answer):
            return answer
        try:
            token = self._fresh_token(token)
            if moves_money:
                self._check_clock()
            again = messages.check_external_id(self._external_ids(reference))
        except BankAdapterError:
            return answer  # the refusal stands: nothing was done, and the caller may send again
        return self._post(service, body, again, token.text)

    def _post(self, service: Service, body: bytes, external_id: str, token: str | None) -> Answer:
        said, connection = self._said, self._connection
        path = connection.path(service)
        when = timestamp(self._clock().astimezone(_WIB))
        headers = {
            "Content-Type": "application/json",
            "X-TIMESTAMP": when,
            "X-PARTNER-ID": said.partner_id,
            "X-EXTERNAL-ID": external_id,
            "CHANNEL-ID": said.channel_id,
        }
        if said.origin:
            headers["ORIGIN"] = said.origin
        if token is None:
            headers["X-CLIENT-KEY"] = said.client_id
            text = asymmetric_text("POST", path, body, when)
            signature = sign_rsa(text, connection.private_key, said.signature_encoding)
        else:
            headers["Authorization"] = f"Bearer {token}"
            text = symmetric_text("POST", path, token, body, when)
            signature = sign_hmac(text, connection.client_secret, said.signature_encoding)
        headers["X-SIGNATURE"] = signature
        most = said.answer_bytes_max if service == "14" else _ANSWER_BYTES_MAX
        return self._timed_post(path, headers, body, most)

    def _timed_post(
        self, path: str, headers: dict[str, str], body: bytes, bytes_max: int
    ) -> Answer:
        before = self._clock()
        answer = self._transport.post(path, headers, body, bytes_max=bytes_max)
        self._compare_clocks(answer, before, self._clock())
        return answer

    def _fresh_token(self, refused: _Held | None) -> _Held:
        """The token in hand, or a new one where it has ended or is the *refused* one (73)."""
        held = self._token
        if held is not None and held is not refused and time.monotonic() < held.until:
            return held
        with self._token_lock:
            held = self._token
            if held is not None and held is not refused and time.monotonic() < held.until:
                return held
            self._token = None
            self._token = held = self._ask_for_token()
            return held

    def _ask_for_token(self) -> _Held:
        said, connection = self._said, self._connection
        when = timestamp(self._clock().astimezone(_WIB))
        text = token_text(said.client_id, when)
        headers = {
            "Content-Type": "application/json",
            "X-TIMESTAMP": when,
            "X-CLIENT-KEY": said.client_id,
            "X-SIGNATURE": sign_rsa(text, connection.private_key, said.signature_encoding),
        }
        asked = time.monotonic()
        try:
            answer = self._timed_post(
                connection.path("73"), headers, messages.TOKEN_BODY, _ANSWER_BYTES_MAX
            )
        except BankUnreachableError as error:
            raise TokenRefusedError(said.name, 0, "", error.reason) from None
        if answer.http_status != 200:
            code, reason = _told(answer)
            raise TokenRefusedError(said.name, answer.http_status, code, reason)
        try:
            token = read_token(answer.body)
        except SnapError as error:
            raise TokenRefusedError(said.name, 200, "", str(error)) from None
        margin = min(_TOKEN_MARGIN_SECONDS, token.seconds / 2)
        return _Held(token.text, asked + token.seconds - margin)

    def _compare_clocks(self, answer: Answer, before: datetime, after: datetime) -> None:
        """Keep how far the bank's clock was from ours, by its Date, else its X-TIMESTAMP."""
        apart = seconds_apart(time_of(answer.headers), before, after)
        if apart is not None:
            self._skew_seconds = apart

    def _is_skewed(self) -> bool:
        return abs(self._skew_seconds) > self._said.clock_skew_seconds

    def _check_clock(self) -> None:
        """
        Refuse to move money by a clock that the bank would not believe.

        The next token's answer shows whether the clocks agree again; without tokens, the next
        question's does.
        """
        if self._is_skewed():
            said = self._said
            raise ClockSkewError(said.name, self._skew_seconds, said.clock_skew_seconds)


def _is_about_token(answer: Answer) -> bool:
    """Whether a 401 is SNAP's own, and of a kind that is refused before anything is done."""
    code, _ = _told(answer)
    return code[:3] == "401" and code[5:] in _TOKEN_CASES


def _told(answer: Answer) -> tuple[str, str]:
    """A refusal's code and words, as far as it has them."""
    try:
        reply = read_object(answer.body)
    except MisfitError:
        return "", ""
    return code_of(reply), message_of(reply)
