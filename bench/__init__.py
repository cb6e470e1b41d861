"""Measurements that docs/figures.md is made of: `python -m bench.NAME`, never part of the tests."""
