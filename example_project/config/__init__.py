"""The example shop's project."""
