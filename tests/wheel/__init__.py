"""Install the built wheel without extras in a new environment, and use it in a new project."""
