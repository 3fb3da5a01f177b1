"""
`rkud bench`: how fast the product is, as ratios against yardsticks that run beside it.

Rates of two different hours on a shared machine differ by a factor of six, so a rate alone says
little. Every bench alternates the product with its yardsticks (`api.bench.yardsticks`) in the same
run, takes the ratio inside each round and then the median of the rounds, and gives CPU time per
act, which moves far less. All databases are durable: fsync, synchronous_commit and full_page_writes
on. `docs/benchmarks.md` says what is measured and how to read it.
"""
