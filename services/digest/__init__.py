"""Batch: one email per recipient, class and window."""
