"""Tests of the network that a person asks for."""
