"""Test helpers for projects: factories, simulated callbacks with signatures, and pytest fixtures.

The extra ``django-messente-dlr[testing]`` installs its requirements. No other module of the package imports it.
"""
