"""The network part of an intent: its checks, systemd-networkd's units, and leases."""
