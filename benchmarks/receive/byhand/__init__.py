"""An app as its user would write it without us: two models and a view for every habit."""
