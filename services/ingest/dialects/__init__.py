"""Shapes a request may come in; each reads a foreign shape and gives what was asked in the native one."""
