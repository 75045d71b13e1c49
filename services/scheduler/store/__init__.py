"""The scheduler's statements, a module a table."""
