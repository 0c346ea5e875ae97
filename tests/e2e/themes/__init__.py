"""The admin with themes that replace Django's templates: ``tox -e themes``."""
