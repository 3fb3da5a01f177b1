"""SNAP BI, Bank Indonesia's standard for open API payments: what both directions of it share."""
