"""Checks of ``messente_doctor``."""
