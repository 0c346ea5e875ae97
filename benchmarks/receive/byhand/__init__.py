"""An app that a project would write without this package: two models, and a view for each common way to do it."""
