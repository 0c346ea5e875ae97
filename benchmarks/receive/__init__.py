"""Compare the receiving path with seven simpler handlers: ``python -m benchmarks.receive --help``."""

# Anymail protects a webhook with HTTP basic authentication. The server and the load need the same secret.
ANYMAIL_SECRET = "anymail:a-secret-of-the-benchmark"
