"""Virtual machines on this node, through a program of their own."""
