"""Test the Celery tasks with brokers, worker processes and PostgreSQL: ``tox -e broker``."""
