"""One module for each kind of setting: what of the intent it turns into which files."""
