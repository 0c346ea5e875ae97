"""Measure polling: `throughput`, `claim` and `memory`, each next to something to compare it with."""
