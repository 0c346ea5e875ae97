"""Periodic work: sweep, prune and count."""
