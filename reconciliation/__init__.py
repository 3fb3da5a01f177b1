"""Reconcile the bank's statements with the books."""
