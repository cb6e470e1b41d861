"""virtnode-engine: joins nodes, keeps what is known of them, and serves them to people and tools."""
