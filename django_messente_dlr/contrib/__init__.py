"""The poller's work for projects that have workers: as Celery tasks, or as Django's own."""
