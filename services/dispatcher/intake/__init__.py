"""Intake: what was accepted becomes rows, then deliveries."""
