"""The self-check: what was found out about this node, judged check by check."""
