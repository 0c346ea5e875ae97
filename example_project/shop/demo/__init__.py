"""What ``manage.py demo`` is made of: the cast, the stage, the table and the verdict."""
