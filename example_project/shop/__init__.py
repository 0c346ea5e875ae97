"""A small shop that tells its customers by SMS where their orders are."""
