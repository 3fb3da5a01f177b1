"""Payments on their way to a bank: orders, rails, and the formats that carry them."""
