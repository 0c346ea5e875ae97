"""The read-only REST door."""
