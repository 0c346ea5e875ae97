"""Benchmarks of the send queue."""
