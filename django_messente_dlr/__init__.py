"""Record the delivery result of every SMS that a Django project sends through Messente."""

__all__ = ["__version__"]

__version__ = "0.1.0"
