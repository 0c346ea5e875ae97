"""Poll, sweep, dispatch and prune in a project's workers, as Celery tasks or as tasks of Django."""
