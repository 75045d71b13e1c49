"""Operate: directory, endpoints, keys, traces, dead letters."""
