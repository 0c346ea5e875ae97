"""Messente's protocol in plain Python. It imports no models and no settings."""
