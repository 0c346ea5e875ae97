"""Periodic work: sweep, prune, and update the statistics."""
