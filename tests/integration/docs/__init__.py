"""Run every code block of the README and the documentation."""
