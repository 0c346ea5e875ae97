"""Receive the callbacks of Messente."""
