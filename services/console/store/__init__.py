"""The console's statements, a module a table."""
