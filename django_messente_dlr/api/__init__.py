"""The read-only REST door, on Django REST framework: what became of every message, for other programs."""
