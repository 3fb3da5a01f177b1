"""
Documents that order money: SPM, SP2D, advice list, and the payments that come of them.

A document is data: canonical content over commitments, its revision the SHA-256 of those bytes.
What may be done to it is a table of moves (`moves`), what must hold is a list of named rules
(`checks`), what it books is a function of its content (`journals`). Adding a kind of payment adds
rows to these, not branches.

Pure: moves, bodies, content, withholdings, checks, journals, numbers, payments, signing,
advice_file. Shells: store, payment_store, spm, sp2d, advice_list, bank_outcomes, receipts, queries;
replay and documents_check re-derive it all from the log.
"""
