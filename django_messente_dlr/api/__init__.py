"""A read-only REST API on Django REST framework: messages and their delivery reports, for other programs."""
