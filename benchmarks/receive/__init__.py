"""Compare the receiving path with seven simpler handlers: ``python -m benchmarks.receive --help``."""
