"""Benchmarks that compare the package with code that a project would write by hand."""
