"""Measure the admin pages with a thousand and with a million messages: ``python -m benchmarks.admin``."""
