"""A bank for trying things out: it executes advice lists, keeps accounts and writes statements.

A development tool that ships. It runs in a process of its own (`python -m bank_adapters.simulator`)
and knows of the treasury only what a bank knows: the signed advice list, the officer's public key,
and what payers brought to the counter. It adds by seed what real bank days hold: a rejection, a
retur, a fee, interest, a credit that nobody can name, a payment left undone, one made twice.

The same tool can be served: `commands.py` prepares a bank in a directory and serves SNAP over HTTP
(`serving.py` to `snap_app.py` to `orders.py`), with faults by a script (`faults.py`) and a report of
what was really executed (`report.py`). It plays a bank, and is none.

The same tool can be served: `commands.py` prepares a bank in a directory and serves SNAP over HTTP
(`serving.py` to `snap_app.py` to `orders.py`), with faults by a script (`faults.py`) and a report of
what was really executed (`report.py`). It plays a bank, and is none.
"""

from bank_adapters.simulator.accounts import Bank, load_bank, save_bank
from bank_adapters.simulator.advice import AdviceList, Instruction, read_advice_list
from bank_adapters.simulator.day import FAULTS, BankDay, Deposit, run_day
from bank_adapters.simulator.errors import SimulatorError

__all__ = [
    "FAULTS",
    "AdviceList",
    "Bank",
    "BankDay",
    "Deposit",
    "Instruction",
    "SimulatorError",
    "load_bank",
    "read_advice_list",
    "run_day",
    "save_bank",
]
