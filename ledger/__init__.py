"""
The books of a regional government: journals, balances, budget, documents and people.

Everything is written by `ledger.posting.post_batch` and read through `ledger.queries`. Pure modules
decide (values in, values or a named refusal out); shells take a connection inside the caller's
transaction. Nothing here commits, reads a clock or knows a setting of the process.
"""
