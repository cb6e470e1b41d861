"""Installation to disk: what is there, what may be done to it, and the doing, step by step."""
