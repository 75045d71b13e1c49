"""Expire: the partition of a day that has passed is dropped."""
