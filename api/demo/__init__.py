"""`rkud demo`: a working day of Banten, end to end, through the HTTP API that everybody else uses.

`data` invents the day from published budget figures, `office` is the people with their keys and
tokens, `client` speaks HTTP, `server` is the product in a process of its own, `day` and `evening`
are the work, `inspection` is what an inspector sees, `tampering` what an attacker tries, `run` puts
it in order. Nothing here writes to the book but through the API, save the opening of the book.
"""
