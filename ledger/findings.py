"""What a check of the books found; the value is the audit floor's."""

from audit.findings import Finding

__all__ = ["Finding"]
