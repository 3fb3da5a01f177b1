"""Payments on their way to a bank: orders, rails, and the formats that carry them.

`order` has the values; `routing` chooses a rail by `rail_table` and `banks`; `debit_units` says what
the bank will debit in one line; `pain001` and `template_writer` write, `pain002` reads what comes
back; `list_files` and `list_answers` do both for a whole advice list, as `file_settings` says.
docs/bank-payments.md tells it whole.
"""
