"""
What the product is measured against, written as anybody would write it, and by us.

A yardstick that is slow for a silly reason flatters the product, so each has a bound on its CPU
time per journal; a run in which it exceeds that bound is marked invalid.
"""
