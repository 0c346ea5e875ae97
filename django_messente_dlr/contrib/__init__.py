"""Poll, sweep and prune in a project's workers, as Celery tasks or as tasks of Django."""
