"""The receiving path beside seven ways to do less: ``python -m benchmarks.receive --help``."""
