"""Tells a Django project, truthfully and at once, what became of every SMS that it sent through Messente."""

__version__ = "0.1.0"
