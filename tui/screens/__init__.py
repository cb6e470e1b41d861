"""The ten screens, each in a module of its own; `screen_table` has them in order."""
