"""What a project needs to test what it does with delivery reports: factories, signed callbacks, pytest fixtures.

Install it with ``django-messente-dlr[testing]``. Nothing in the package itself imports it.
"""
