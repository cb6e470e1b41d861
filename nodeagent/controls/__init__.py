"""The verbs of virtnodectl, an area a module."""
