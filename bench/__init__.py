"""Measurements: `make bench NAME=whole SECONDS=20`. Nothing here is timed by a test."""
