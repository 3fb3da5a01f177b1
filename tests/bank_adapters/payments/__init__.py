"""Formats in which payments leave, and the choice of their rail."""
