"""Receive Messente's callbacks."""
