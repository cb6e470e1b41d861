"""Proof that a medium works: boot it, and let the node itself say what it found."""
