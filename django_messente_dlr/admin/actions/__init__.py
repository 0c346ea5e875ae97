"""Actions of the admin lists and pages."""
