"""Kafka as Tocsin uses it: acknowledged sends, honest offsets, no transactions."""
