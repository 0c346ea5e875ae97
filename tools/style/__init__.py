"""Check the language of code, templates and documentation."""
