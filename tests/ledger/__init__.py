"""An app of a project that keeps a receipt for each delivery report and so prevents its deletion."""
