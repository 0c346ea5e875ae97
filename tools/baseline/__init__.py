"""Record numbers that a change of the code base must not lower."""
