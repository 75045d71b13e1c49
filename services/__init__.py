"""Tocsin's services: strangers to each other, they meet on topics and tables."""
