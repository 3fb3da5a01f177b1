"""What a dispatcher needs of a bank, whichever interface it has."""

from __future__ import annotations

from typing import Protocol

from bank_adapters.payments.order import BankAnswer, PaymentOrder

__all__ = ["Bank"]


class Bank(Protocol):
    """
    A bank that pays and answers. Called from several threads at once.

    Each call may raise BankAdapterError; `send` only where nothing of the payment has left.
    """

    @property
    def checks_names(self) -> bool:
        """Whether holders are asked for before a payee is first paid."""

    def inquire_account(self, bank_code: str, account: str) -> str:
        """The holder of an account at this bank or another."""

    def send(self, order: PaymentOrder, external_id: str) -> BankAnswer:
        """Ask it to pay, once. Whatever comes back, or doesn't, is an answer."""

    def status(
        self,
        order: PaymentOrder,
        sent_external_id: str,
        external_id: str,
        *,
        bank_reference: str = "",
    ) -> BankAnswer:
        """Ask what became of an order that was sent under *sent_external_id*."""
