"""The Celery tasks with real brokers, worker processes and PostgreSQL: ``tox -e broker``."""
