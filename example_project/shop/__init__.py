"""A small shop that informs its customers by SMS about their orders."""
