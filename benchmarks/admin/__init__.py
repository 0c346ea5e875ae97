"""``python -m benchmarks.admin``: what the admin's pages take at a thousand messages and at a million."""
