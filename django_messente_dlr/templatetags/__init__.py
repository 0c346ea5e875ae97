"""What the admin's templates of this app show on every page, and how they write figures."""
